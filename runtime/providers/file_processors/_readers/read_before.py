"""A document that was read before: what a reader made of it, as JSON."""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from runtime.documents.document import Document
from runtime.providers.file_processors._readers.reading import Reading

_decode = msgspec.json.Decoder(Document).decode


def read(file: BinaryIO, _: Reading) -> Document:
    return _decode(file.read())
