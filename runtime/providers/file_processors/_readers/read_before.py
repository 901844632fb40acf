"""A document that was read before: what a reader made of it, as JSON. What is as it is by default is left out: a large
document has a hundred thousand blocks.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, BinaryIO

import msgspec

from runtime.documents.document import Block, Document
from runtime.providers.file_processors._readers.reading import Reading

_decode = msgspec.json.Decoder(Document).decode


def _defaults(of: type[Block | Document]) -> list[tuple[str, Any]]:
    return [(one.name, one.default if one.default_factory is MISSING else one.default_factory()) for one in fields(of)]


_BLOCK, _DOCUMENT = _defaults(Block), _defaults(Document)


def read(file: BinaryIO, _: Reading) -> Document:
    return _decode(file.read())


def written(document: Document) -> bytes:
    """What `read` reads."""
    blocks = [_said(block, _BLOCK) for block in document.blocks]
    return msgspec.json.encode(_said(document, _DOCUMENT) | {"blocks": blocks})


def check(data: bytes) -> None:
    """Raises ValueError for what `read` does not read."""
    _decode(data)


def _said(one: Block | Document, defaults: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, default in defaults if (value := getattr(one, name)) != default}
