"""JSON and JSON Lines: a block for each member or item at the top, so that records stay whole. RFC 8259."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import msgspec

from runtime.documents.document import Block, Document
from runtime.providers.file_processors._readers.plain import text_of
from runtime.providers.file_processors._readers.reading import Reading, whole
from runtime.providers.file_processors._readers.refusals import invalid


def read(file: BinaryIO, reading: Reading) -> Document:
    """Raises RequestError for what is neither."""
    text = text_of(whole(file, reading.max_decompressed_bytes))
    values = _values(text)
    if isinstance(values, dict):
        blocks = [Block(kind="code", text=f"{_written(name)}: {_written(value)}") for name, value in values.items()]
    else:
        blocks = [Block(kind="code", text=_written(value)) for value in values]
    return Document(blocks=tuple(blocks), metadata={"extraction_method": "json"})


def is_json(text: str) -> bool:
    """Whether a text is JSON with members or items, or lines of such JSON."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        _values(text)
    except Exception:
        return False
    return True


def _values(text: str) -> dict[str, Any] | list[Any]:
    try:
        value = msgspec.json.decode(text)
    except ValueError as whole_error:
        lines = [line for line in text.split("\n") if line.strip()]  # not at U+2028, which strings may have in them
        if len(lines) < 2:
            raise invalid("The JSON", str(whole_error)) from whole_error
        try:
            return [msgspec.json.decode(line) for line in lines]
        except ValueError:
            raise invalid("The JSON", str(whole_error)) from whole_error
    return value if isinstance(value, dict | list) else [value]


def _written(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
