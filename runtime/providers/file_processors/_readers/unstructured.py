"""What unstructured makes of a document (https://docs.unstructured.io): elements of its library here, or the
answer of its Partition API, which is a list of the same elements.
https://docs.unstructured.io/api-reference/partition/document-elements
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any, BinaryIO

import msgspec

from runtime.documents.document import Block, Document, Kind
from runtime.providers.file_processors._readers import html
from runtime.providers.file_processors._readers.reading import Reading, whole
from runtime.providers.file_processors._readers.refusals import invalid, parsing

_KINDS: Mapping[str, Kind] = {"ListItem": "list", "CodeSnippet": "code", "Formula": "code", "Table": "table"}
_MODEL = "en_core_web_sm"
_LEFT_OUT = ("PageBreak", "Header", "Footer", "PageNumber")
_SETTINGS = ("strategy", "include_page_breaks", "skip_infer_table_types", "languages")


def read(file: BinaryIO, reading: Reading) -> Document:
    """With the library. settings: those of `partition`. Raises RequestError for what it cannot partition, and
    ModuleNotFoundError without its model, which it would try to download.
    """
    if find_spec(_MODEL) is None:
        raise ModuleNotFoundError(f"No module named '{_MODEL}'", name=_MODEL)
    from unstructured.partition.auto import partition

    options = {name: reading.settings[name] for name in _SETTINGS if name in reading.settings}
    if reading.settings.get("extract_images_in_pdf"):
        options["extract_image_block_types"] = ["Image"]
    with parsing("The document"):
        elements = partition(file=io.BytesIO(file.read()), metadata_filename=reading.filename or None, **options)
        return _document([element.to_dict() for element in elements], reading)


def read_answer(file: BinaryIO, reading: Reading) -> Document:
    """The answer of the Partition API. Raises RequestError if it is not one."""
    try:
        elements = msgspec.json.decode(whole(file, reading.max_decompressed_bytes))
    except ValueError as error:
        raise invalid("The answer of the Partition API", str(error)) from error
    with parsing("The answer of the Partition API"):
        return _document([element for element in elements if isinstance(element, dict)], reading)


def _document(elements: list[dict[str, Any]], reading: Reading) -> Document:
    pages = [page for element in elements if (page := _page(element)) is not None]
    reading.wanted_pages(max(pages, default=0))
    blocks = tuple(block for block in _blocks(elements) if block.page is None or reading.wants(block.page))
    return Document(
        blocks=blocks,
        title=next((block.text for block in blocks if block.kind == "heading"), None),
        page_count=max(pages, default=None),
        metadata={"extraction_method": "unstructured"},
    )


def _blocks(elements: list[dict[str, Any]]) -> Iterator[Block]:
    items: list[str] = []
    page: int | None = None
    for element in [*elements, {}]:
        kind = element.get("type")
        if items and (kind != "ListItem" or _page(element) != page):
            yield Block(kind="list", text="\n".join(items), page=page)
            items = []
        page = _page(element)
        text = str(element.get("text") or "")
        if kind == "ListItem":
            items.append(f"- {' '.join(text.split())}")
        elif text.strip() and kind not in _LEFT_OUT:
            yield _block(str(kind), text, element.get("metadata") or {}, page)


def _block(kind: str, text: str, metadata: Mapping[str, Any], page: int | None) -> Block:
    if kind == "Title":
        level = min(6, int(metadata.get("category_depth") or 0) + 1)
        return Block(kind="heading", text=" ".join(text.split()), level=level, page=page)
    if kind == "Table" and metadata.get("text_as_html"):
        found = html.table_of(str(metadata["text_as_html"]))
        if found is not None:
            return Block(kind="table", text=found.text, head_lines=found.head_lines, page=page)
    return Block(kind=_KINDS.get(kind, "paragraph"), text=text, page=page)


def _page(element: Mapping[str, Any]) -> int | None:
    page = (element.get("metadata") or {}).get("page_number")
    return page if isinstance(page, int) else None
