"""DOCX, PPTX and XLSX, converted to Markdown by markitdown (https://github.com/microsoft/markitdown).

Its converters are called without the package's own entry point, which loads a model that guesses formats: the format is
known here, and that model needs packages of 45 MB.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import zipfile
from typing import Any, BinaryIO

from runtime.documents.document import Document
from runtime.providers.file_processors._readers.archives import check_archive
from runtime.providers.file_processors._readers.kinds import Office, office_kind
from runtime.providers.file_processors._readers.mammoth_mended import mend
from runtime.providers.file_processors._readers.markdown import blocks_of, first_title
from runtime.providers.file_processors._readers.reading import Reading
from runtime.providers.file_processors._readers.refusals import parsing, unsupported

_CONVERTERS = {"docx": "DocxConverter", "pptx": "PptxConverter", "xlsx": "XlsxConverter"}


def read(file: BinaryIO, reading: Reading) -> Document:
    """Raises RequestError for an archive that is none of these or not safe."""
    kind = office_kind(file)
    if kind is None or kind not in _CONVERTERS:
        raise unsupported("This is no DOCX, PPTX or XLSX")
    what = f"The {kind.upper()}"
    check_archive(file, what, limit_bytes=reading.max_decompressed_bytes)
    with parsing(what):
        text = _converter(kind).convert(file, _markitdown("_stream_info").StreamInfo(extension=f".{kind}")).markdown
    blocks = list(blocks_of(text))
    slides = [block.page for block in blocks if block.page is not None]
    page_count = max(slides) if slides else None
    if page_count is not None:
        wanted = set(reading.wanted_pages(page_count))
        blocks = [block for block in blocks if block.page in wanted]
    title, author = _properties(file)
    return Document(
        blocks=tuple(blocks),
        title=title or first_title(blocks),
        author=author,
        page_count=page_count,
        metadata={"extraction_method": "markitdown"},
    )


def _converter(kind: Office) -> Any:
    if kind == "docx":
        mend()
    return getattr(_markitdown(f"converters._{kind}_converter"), _CONVERTERS[kind])()


def _markitdown(module: str) -> Any:
    """A module of the package, whose `__init__` is not run. Raises ModuleNotFoundError if it is not installed."""
    if "markitdown" not in sys.modules:
        spec = importlib.util.find_spec("markitdown")
        if spec is None:
            raise ModuleNotFoundError("No module named 'markitdown'", name="markitdown")
        sys.modules["markitdown"] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"markitdown.{module}")


def _properties(file: BinaryIO) -> tuple[str | None, str | None]:
    """Title and author, as office formats have them in `docProps/core.xml` (ECMA-376, part 2, 11). Neither where that
    is missing or damaged, since the text was read without it.
    """
    from defusedxml.ElementTree import fromstring

    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            root = fromstring(archive.read("docProps/core.xml"))
    except Exception:  # of zlib, expat and the encoding that it states, each with classes of its own
        return None, None
    names = ("{http://purl.org/dc/elements/1.1/}title", "{http://purl.org/dc/elements/1.1/}creator")
    title, author = ((root.findtext(name) or "").strip() or None for name in names)
    return title, author
