"""What a file is, by its content. Its name decides only between kinds of text that look alike."""

from __future__ import annotations

import re
import zipfile
from typing import BinaryIO, Literal

from runtime.documents.images import image_type
from runtime.errors import RequestError
from runtime.providers.file_processors._readers.archives import OTHER_ARCHIVES
from runtime.providers.file_processors._readers.encodings import decoded, unicode_encoding
from runtime.providers.file_processors._readers.json_text import is_json
from runtime.providers.file_processors._readers.plain import text_of
from runtime.providers.file_processors._readers.reading import Reading
from runtime.providers.file_processors._readers.refusals import encrypted, unsupported, without_text
from runtime.providers.file_processors._readers.tabular import delimiter_of

Office = Literal["docx", "pptx", "xlsx", "epub"]
Kind = Literal["pdf", "docx", "pptx", "xlsx", "epub", "image", "html", "json", "csv", "markdown", "text"]

_HEAD_BYTES = 64 * 1024
_PDF_BYTES = 1024  # a PDF may have something before its first line
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS = {
    **OTHER_ARCHIVES,
    b"{\\rtf": "RTF",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"OggS": "audio or video",
    b"ID3": "audio",
    b"fLaC": "audio",
}
_HTML_PAGE, _HTML_PART = (
    re.compile(rf"\A\s*(<\?xml[^>]*>\s*)?(<!--(?:(?!-->).)*-->\s*)*<({names})\b", re.IGNORECASE | re.DOTALL)
    for names in ("!doctype html|html|head|body|title", "h[1-6]|p|div|table|ul|ol")
)
"""How a whole page begins, and how a part of one does; so may Markdown."""
_MARK_CHARACTERS = 1000
"""Of the text that a mark is around: many that do not end would be looked through once for each."""
_MARKDOWN = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^#{1,6} \S",
        r"^(=|-){3,}$",
        r"^(```|~~~)",
        r"^ {0,3}([-*+]|\d{1,9}\.) \S",
        r"^\|.*\|$",
        rf"\[[^\]\n]{{1,{_MARK_CHARACTERS}}}\]\([^)\n]{{1,{_MARK_CHARACTERS}}}\)",
        rf"\*\*\S[^\n]{{0,{_MARK_CHARACTERS}}}?(?<=\S)\*\*",
    )
)
_OFFICE_PARTS: dict[str, Office] = {"word/": "docx", "ppt/": "pptx", "xl/": "xlsx"}
_MAX_CONTROL_SHARE = 0.02


def kind_of(file: BinaryIO, reading: Reading) -> Kind:
    """The kind of a file, whose position stays. Raises RequestError for what is not read here, and says what it is."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if not head.strip(b"\x00 \t\r\n"):
        raise without_text("The document is empty")
    if b"%PDF-" in head[:_PDF_BYTES]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        if (office := office_kind(file)) is None:
            raise unsupported("This is a ZIP archive, which is not read", hint="send the files in it")
        return office
    if image_type(head):
        return "image"
    if head.startswith(_OLE):
        raise _ole(file)
    for mark, name in _OTHERS.items():
        if head.startswith(mark):
            raise unsupported(f"This is {name}, which is not read")
    if _looks_binary(head if unicode_encoding(head) is None else decoded(head).encode(errors="replace")):
        raise unsupported("This is neither text nor a format that is read")
    return _kind_of_text(file, reading)


def office_kind(file: BinaryIO) -> Office | None:
    """Which of these an archive is, by its members; None if it is none of them or damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                return next((kind for part, kind in _OFFICE_PARTS.items() if _has(names, part)), None)
            return "epub" if "META-INF/container.xml" in names else None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError):
        return None
    finally:
        file.seek(0)


def _has(names: list[str], part: str) -> bool:
    return any(name.startswith(part) for name in names)


def _ole(file: BinaryIO) -> RequestError:
    """Office formats before 2007 and encrypted ones of today are in the same kind of file, [MS-CFB]."""
    content = file.read(_HEAD_BYTES * 16)
    if "EncryptedPackage".encode("utf-16-le") in content:
        return encrypted("The document")
    return unsupported("This is an Office format of before 2007", hint="save it as DOCX, PPTX or XLSX")


def _looks_binary(head: bytes) -> bool:
    control = sum(head.count(byte) for byte in range(32) if byte not in b"\t\n\r\f\x1b")
    return control > max(1, len(head) * _MAX_CONTROL_SHARE)


def _kind_of_text(file: BinaryIO, reading: Reading) -> Kind:
    content = file.read(reading.max_decompressed_bytes + 1)
    file.seek(0)
    text = text_of(content)
    start = text[:_HEAD_BYTES]
    said = {reading.extension, reading.content_type.partition(";")[0].strip().lower()}
    if _HTML_PAGE.match(start):
        return "html"
    if said & {"md", "markdown", "text/markdown"}:
        return "markdown"
    if _HTML_PART.match(start):
        return "html"
    if is_json(text):
        return "json"
    if delimiter_of(text) is not None and (said & {"csv", "tsv", "text/csv"} or not _is_prose(start)):
        return "csv"
    marks = sum(1 for pattern in _MARKDOWN if pattern.search(start))
    return "markdown" if marks >= 2 and not said & {"txt"} else "text"


def _is_prose(text: str) -> bool:
    """Whether lines end as sentences do; then it is chance that each has as many commas as the others."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return sum(line.endswith((".", "!", "?", ":")) for line in lines) * 2 > len(lines)
