"""EPUB: the pages of a book in the order of its spine, each read as HTML. https://www.w3.org/TR/epub-33/

The library that reads other archives would read the pages with a parser that many open marks hold up.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import unquote

from runtime.documents.document import Document
from runtime.providers.file_processors._readers.archives import check_archive
from runtime.providers.file_processors._readers.html import document_of
from runtime.providers.file_processors._readers.reading import Reading
from runtime.providers.file_processors._readers.refusals import parsing

_PACKAGE = "{http://www.idpf.org/2007/opf}"
_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"


def read(file: BinaryIO, reading: Reading) -> Document:
    """Raises RequestError for an archive that is no EPUB or not safe."""
    from defusedxml.ElementTree import fromstring

    check_archive(file, "The EPUB", limit_bytes=reading.max_decompressed_bytes)
    with parsing("The EPUB"), zipfile.ZipFile(file) as archive:
        place = fromstring(archive.read("META-INF/container.xml")).find(f".//{_CONTAINER}rootfile").attrib["full-path"]
        package = fromstring(archive.read(place))
        pages = [document_of(archive.read(name)) for name in _spine(package, place, set(archive.namelist()))]
    blocks = tuple(block for page in pages for block in page.blocks)
    authors = [_text(one) for one in package.iter(f"{_DUBLIN_CORE}creator")]
    return Document(
        blocks=blocks,
        title=next((_text(one) for one in package.iter(f"{_DUBLIN_CORE}title")), None),
        author=", ".join(author for author in authors if author) or None,
        metadata={"extraction_method": "epub"},
    )


def _spine(package: Any, place: str, members: set[str]) -> Iterator[str]:
    """The members that the pages of a book are, in their order; each once, since a spine may name one many times."""
    addresses = {item.get("id"): item.get("href", "") for item in package.iter(f"{_PACKAGE}item")}
    folder = posixpath.dirname(place)
    left = set(members)
    for one in package.iter(f"{_PACKAGE}itemref"):
        address = addresses.get(one.get("idref"), "")
        for name in (posixpath.normpath(posixpath.join(folder, said)) for said in (unquote(address), address)):
            if name in left:
                left.remove(name)
                yield name
                break


def _text(element: Any) -> str | None:
    return " ".join((element.text or "").split()) or None
