"""What docling makes of a document (https://docling-project.github.io/docling): its own library's result here, or the
answer of a docling-serve, which has the same form.

A DoclingDocument is a tree of references to texts, tables and groups; its reading order is that of the tree.
https://docling-project.github.io/docling/concepts/docling_document
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from runtime.documents.document import Block, Document, Kind, table
from runtime.providers.file_processors._readers.kinds import kind_of
from runtime.providers.file_processors._readers.reading import Reading, whole
from runtime.providers.file_processors._readers.refusals import invalid, over_limit, parsing

_WHAT = "The document"
_KINDS: Mapping[str, Kind] = {"code": "code", "formula": "code", "list_item": "list"}
_LEFT_OUT = ("page_header", "page_footer")
_EXTENSIONS = {"image": "png", "markdown": "md"}


def read(file: BinaryIO, reading: Reading) -> Document:
    """With the library. settings: `do_ocr`, `max_pages`. Raises RequestError for what it cannot convert."""
    from docling.datamodel.base_models import DocumentStream, InputFormat
    from docling.datamodel.pipeline_options import PdfPipelineOptions
    from docling.document_converter import DocumentConverter, ImageFormatOption, PdfFormatOption

    kind = kind_of(file, reading)
    pipeline = PdfPipelineOptions(do_ocr=bool(reading.settings.get("do_ocr", True)))
    converter = DocumentConverter(
        format_options={
            InputFormat.PDF: PdfFormatOption(pipeline_options=pipeline),
            InputFormat.IMAGE: ImageFormatOption(pipeline_options=pipeline),
        }
    )
    name = f"document.{_EXTENSIONS.get(kind, kind)}"
    pages = reading.pages or ()
    limits: dict[str, Any] = {} if not pages else {"page_range": (pages[0][0], pages[-1][1])}
    with parsing(_WHAT):
        converted = converter.convert(
            DocumentStream(name=name, stream=io.BytesIO(file.read())), max_num_pages=reading.max_pages, **limits
        )
        return _document(converted.document.export_to_dict(), reading)


def read_answer(file: BinaryIO, reading: Reading) -> Document:
    """The answer of a docling-serve. Raises RequestError if it failed on the document."""
    try:
        answer = msgspec.json.decode(whole(file, reading.max_decompressed_bytes))
    except ValueError as error:
        raise invalid("The answer of docling-serve", str(error)) from error
    status = answer.get("status") if isinstance(answer, dict) else None
    if status not in ("success", "partial_success"):
        said = [str(one.get("error_message", "")) for one in _dicts(answer.get("errors"))] if status else []
        raise invalid(_WHAT, "; ".join(filter(None, said)) or f"docling-serve answered with the status {status}")
    with parsing("The answer of docling-serve"):
        return _document(answer["document"]["json_content"], reading)


def _document(found: Mapping[str, Any], reading: Reading) -> Document:
    pages = found.get("pages") or {}
    if len(pages) > reading.max_pages and reading.pages is None:
        raise over_limit(f"{len(pages)} pages are more than the {reading.max_pages} that are read")
    blocks = tuple(block for block in _joined(_blocks(found)) if block.page is None or reading.wants(block.page))
    headings = [block.text for block in blocks if block.kind == "heading"]
    titles = [str(text["text"]) for text in _dicts(found.get("texts")) if text.get("label") == "title"]
    return Document(
        blocks=blocks,
        title=next(iter([*titles, *headings]), None),
        page_count=len(pages) or None,
        metadata={"extraction_method": "docling"},
    )


def _blocks(found: Mapping[str, Any]) -> Iterator[Block]:
    waiting: list[Mapping[str, Any]] = [found["body"]]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if (block := _block(node)) is not None:
            yield block
        below = [_at(found, child["$ref"]) for child in _dicts(node.get("children")) if child["$ref"] not in seen]
        seen.update(child["$ref"] for child in _dicts(node.get("children")))
        waiting.extend(reversed(below))


def _at(found: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    """What a reference such as `#/texts/3` stands for."""
    _, kind, index = reference.split("/")
    item: Mapping[str, Any] = found[kind][int(index)]
    return item


def _block(node: Mapping[str, Any]) -> Block | None:
    label = node.get("label")
    page = next((int(place["page_no"]) for place in _dicts(node.get("prov"))), None)
    if label in ("table", "document_index"):
        grid = _rows(node)
        return table(([str(cell.get("text", "")) for cell in _dicts(row)] for row in grid), page=page)
    text = node.get("text")
    if not isinstance(text, str) or not text.strip() or label in _LEFT_OUT:
        return None
    if label in ("title", "section_header"):
        level = 1 if label == "title" else min(6, int(node.get("level", 1)) + 1)
        return Block(kind="heading", text=" ".join(text.split()), level=level, page=page)
    kind = _KINDS.get(str(label), "paragraph")
    return Block(kind=kind, text=f"- {' '.join(text.split())}" if kind == "list" else text, page=page)


def _rows(node: Mapping[str, Any]) -> list[Any]:
    rows: list[Any] = (node.get("data") or {}).get("grid") or []
    return rows


def _joined(blocks: Iterator[Block]) -> Iterator[Block]:
    """List items that follow each other on a page as one list."""
    items: list[Block] = []
    for block in blocks:
        if items and (block.kind != "list" or block.page != items[0].page):
            yield _list(items)
            items = []
        if block.kind == "list":
            items.append(block)
        else:
            yield block
    if items:
        yield _list(items)


def _list(items: list[Block]) -> Block:
    return Block(kind="list", text="\n".join(item.text for item in items), page=items[0].page)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
