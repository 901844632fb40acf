"""PDF, read by pypdf (https://pypdf.readthedocs.io): text page by page, without a look at the layout.

Lines in larger letters than most, and those that the outline names, are headings. Scanned pages have no text: they are
named in the metadata. pypdf has limits of its own on what a stream becomes (75 MB), on outlines and on nesting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from runtime.documents.document import Block, Document
from runtime.providers.file_processors._readers.reading import Reading
from runtime.providers.file_processors._readers.refusals import encrypted, over_limit, parsing

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

_WHAT = "The PDF"
_LARGER, _MAX_HEADING_CHARACTERS = 1.15, 200
_PROPERTIES = ("subject", "creator", "producer")
_DATES = ("creation_date", "modification_date")


@dataclass(frozen=True, slots=True)
class _Line:
    """size: of its largest letters, in points, rounded to a tenth."""

    text: str
    size: float


def read(file: BinaryIO, reading: Reading) -> Document:
    """Raises RequestError for one that is damaged, needs a password, or has too many pages or too much in a stream."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError

    try:
        with parsing(_WHAT):
            try:
                return _document(PdfReader(file), reading)
            except (FileNotDecryptedError, DependencyError) as error:
                raise encrypted(_WHAT) from error
            except LimitReachedError as error:
                raise over_limit(f"{_WHAT} has more in it than is read: {error}") from error
    finally:
        file.seek(0)


def _document(pdf: PdfReader, reading: Reading) -> Document:
    if pdf.is_encrypted and not pdf.decrypt(""):
        raise encrypted(_WHAT)
    count = len(pdf.pages)
    lines = {page: list(_lines(pdf.pages[page - 1])) for page in reading.wanted_pages(count)}
    sizes = _heading_sizes(lines.values())
    outlined = _outlined(pdf)
    blocks = [block for page, of_page in lines.items() for block in _blocks(of_page, page, sizes, outlined)]
    about = pdf.metadata
    metadata: dict[str, str | int | list[str]] = {"extraction_method": "pypdf"}
    if about is not None:
        metadata |= {name: str(value) for name in _PROPERTIES if (value := getattr(about, name, None))}
        metadata |= {name: value.isoformat() for name in _DATES if (value := _date(about, name)) is not None}
    if empty := [str(page) for page, of_page in lines.items() if not of_page]:
        metadata["pages_without_text"] = empty
    return Document(
        blocks=tuple(blocks),
        title=str(about.title) if about is not None and about.title else None,
        author=str(about.author) if about is not None and about.author else None,
        page_count=count,
        metadata=metadata,
    )


def _date(about: Any, name: str) -> Any:
    """A date of the document; None for one that is written wrongly."""
    try:
        return getattr(about, name, None)
    except ValueError:
        return None


def _lines(page: PageObject) -> Iterator[_Line]:
    """The lines of a page. An empty one stands where paragraphs are apart."""
    pieces: list[tuple[str, float]] = []

    def seen(text: str, matrix: Any, text_matrix: Any, font: Any, size: float) -> None:
        scale = abs(text_matrix[3] * matrix[3]) or 1.0
        pieces.append((text, round(abs(size) * scale, 1)))

    page.extract_text(visitor_text=seen)
    line, largest = "", 0.0
    for text, size in pieces:
        first, *others = text.split("\n")
        line, largest = line + first, max(largest, size if first.strip() else 0.0)
        for other in others:
            yield _Line(line.strip(), largest)
            line, largest = other, size if other.strip() else 0.0
    if line.strip():
        yield _Line(line.strip(), largest)


def _heading_sizes(pages: Any) -> Mapping[float, int]:
    """The level of a heading for each size of letters that is larger than that of most text."""
    counts: Counter[float] = Counter()
    for page in pages:
        for line in page:
            counts[line.size] += len(line.text)
    if not counts:
        return {}
    usual = counts.most_common(1)[0][0]
    larger = sorted((size for size in counts if size > usual * _LARGER), reverse=True)
    return {size: min(level, 6) for level, size in enumerate(larger, 1)}


def _outlined(pdf: PdfReader) -> Mapping[tuple[int, str], int]:
    """The level of each entry of the outline, by page and text."""
    found: dict[tuple[int, str], int] = {}
    waiting: list[tuple[Any, int]] = [(pdf.outline, 1)]
    while waiting:
        entries, level = waiting.pop()
        for entry in entries:
            if isinstance(entry, list):
                waiting.append((entry, level + 1))
                continue
            page = pdf.get_destination_page_number(entry)
            if page is not None and entry.title:
                found[page + 1, _compact(str(entry.title))] = min(level, 6)
    return found


def _blocks(
    lines: Sequence[_Line], page: int, sizes: Mapping[float, int], outlined: Mapping[tuple[int, str], int]
) -> Iterator[Block]:
    paragraph: list[str] = []
    for line in [*lines, _Line("", 0.0)]:
        level = outlined.get((page, _compact(line.text))) or sizes.get(line.size)
        is_heading = bool(level) and 0 < len(line.text) <= _MAX_HEADING_CHARACTERS
        if paragraph and (is_heading or not line.text):
            yield Block(kind="paragraph", text="\n".join(paragraph), page=page)
            paragraph = []
        if is_heading:
            yield Block(kind="heading", text=line.text, level=level or 1, page=page)
        elif line.text:
            paragraph.append(line.text)


def _compact(text: str) -> str:
    return "".join(text.split()).lower()
