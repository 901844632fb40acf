"""Any document: chooses a reader by what the document is, and by what is installed here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import BinaryIO

from runtime.documents.document import Document
from runtime.providers.file_processors._readers.kinds import Kind, kind_of
from runtime.providers.file_processors._readers.reading import Reader, Reading
from runtime.providers.file_processors._readers.refusals import unsupported


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """module: beside this one. package: what must be importable, empty for what always is. kinds: what it reads."""

    module: str
    package: str
    kinds: frozenset[Kind]


_OFFICE: frozenset[Kind] = frozenset({"docx", "pptx", "xlsx"})
_READERS: Mapping[str, _Reader] = {
    "text": _Reader(module="plain", package="", kinds=frozenset({"text"})),
    "markdown": _Reader(module="markdown", package="", kinds=frozenset({"markdown"})),
    "html": _Reader(module="html", package="", kinds=frozenset({"html"})),
    "csv": _Reader(module="tabular", package="", kinds=frozenset({"csv"})),
    "json": _Reader(module="json_text", package="", kinds=frozenset({"json"})),
    "pypdf": _Reader(module="pdf", package="pypdf", kinds=frozenset({"pdf"})),
    "markitdown": _Reader(module="office", package="markitdown", kinds=_OFFICE),
    "epub": _Reader(module="epub", package="defusedxml", kinds=frozenset({"epub"})),
    "tesseract": _Reader(module="images", package="", kinds=frozenset({"image"})),
    "docling": _Reader(
        module="docling", package="docling", kinds=_OFFICE | {"pdf", "html", "markdown", "csv", "image"}
    ),
    "unstructured": _Reader(
        module="unstructured", package="unstructured", kinds=_OFFICE | {"pdf", "html", "epub", "image"}
    ),
}
"""By the names in `priority`, in the order in which they are taken if that names none for a kind."""
_TEXTS: frozenset[Kind] = frozenset({"text", "markdown", "html", "csv", "json"})


def read(file: BinaryIO, reading: Reading) -> Document:
    """With the first reader of `priority` in the settings that is installed and reads such a document, else the usual
    one. Raises RequestError for a document that none of them reads.
    """
    kind = kind_of(file, reading)
    name = _chosen(kind, reading.settings.get("priority") or ())
    module = importlib.import_module(f"{__package__}.{_READERS[name].module}")
    reader: Reader = module.read
    document = reader(file, reading)
    return replace(document, metadata={**document.metadata, "document_kind": kind, "reader": name})


def text_or_pdf(file: BinaryIO, reading: Reading) -> Document:
    """What `inline::pypdf` reads. Raises RequestError for anything else."""
    return _with(file, reading, _TEXTS | {"pdf"})


def text_or_office(file: BinaryIO, reading: Reading) -> Document:
    """What `inline::markitdown` reads. Raises RequestError for anything else."""
    return _with(file, reading, _TEXTS | _OFFICE | {"epub"})


def _with(file: BinaryIO, reading: Reading, kinds: frozenset[Kind]) -> Document:
    """With the usual reader, a document of one of these kinds."""
    kind = kind_of(file, reading)
    if kind not in kinds:
        raise unsupported(
            f"This is a document of the kind `{kind}`, which this provider does not read", hint="`inline::auto` may"
        )
    return read(file, replace(reading, settings={}))


def _chosen(kind: Kind, priority: Sequence[str]) -> str:
    able = [name for name, reader in _READERS.items() if kind in reader.kinds]
    for name in [*(name for name in priority if name in able), *able]:
        package = _READERS[name].package
        if not package or find_spec(package) is not None:
            return name
    needed = " or ".join(f"`{name}`" for name in able)
    raise unsupported(f"This is a document of the kind `{kind}`, which needs {needed}", hint="install one of them")
