"""Documents made here, good and bad: what each format needs at the least, so that a test can say what is in one."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Target="word/document.xml" Type='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
)
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
Line = tuple[float, str]
"""The size of its letters in points, and its text."""


def pdf(
    pages: Sequence[Sequence[Line]],
    *,
    title: str = "",
    streams: Sequence[bytes] = (),
    letters: Mapping[int, int] | None = None,
) -> bytes:
    """A PDF with these lines on its pages. streams: compressed contents of pages in place of lines. letters: what the
    font says its codes mean, in UTF-16.
    """
    contents = [zlib.compress(_page(lines)) for lines in pages] or list(streams)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%b] /Count %d >>"
        % (b" ".join(b"%d 0 R" % (5 + 2 * at) for at in range(len(contents))), len(contents)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (%b) /Author (Ann Llama) >>" % title.encode(),
    ]
    for at, content in enumerate(contents):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (6 + 2 * at)
        )
        objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(content), content))
    if letters is not None:
        objects[2] = objects[2].replace(b" >>", b" /ToUnicode %d 0 R >>" % (len(objects) + 1))
        meanings = b"".join(b"<%02X> <%04X>\n" % pair for pair in letters.items())
        table = b"1 begincodespacerange\n<00> <FF>\nendcodespacerange\n%d beginbfchar\n%bendbfchar\n" % (
            len(letters),
            meanings,
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(table), table))
    return _with_table(objects)


def _page(lines: Sequence[Line]) -> bytes:
    drawn, height = [], 740.0
    for size, text in lines:
        escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("latin-1")
        drawn.append(b"BT /F1 %g Tf 72 %g Td (%b) Tj ET" % (size, height, escaped))
        height -= size * 1.4
    return b"\n".join(drawn)


def _with_table(objects: Sequence[bytes]) -> bytes:
    written, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    written += b"".join(b"%010d 00000 n \n" % place for place in places)
    written += b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(written)


def encrypted_pdf(password: str) -> bytes:
    """A PDF that opens with this password; an empty one is tried by every reader."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf([[(12, "A secret text.")]]))))
    writer.encrypt(password, owner_password="owner", algorithm="AES-256")
    return _saved(writer.write)


def archive(members: Mapping[str, bytes | str], *, compress: bool = True) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return into.getvalue()


def docx(body: str, **more: bytes | str) -> bytes:
    """body: the XML inside `w:body`. more: members by name, `__` for a slash and `_dot_` for a dot."""
    document = f'<?xml version="1.0"?><w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    members = {name.replace("__", "/").replace("_dot_", "."): content for name, content in more.items()}
    return archive(
        {"[Content_Types].xml": CONTENT_TYPES, "_rels/.rels": RELATIONS, "word/document.xml": document} | members
    )


def paragraph(text: str, *, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def word_table(rows: Iterable[Iterable[str]]) -> str:
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def pptx(slides: Sequence[tuple[str, str]]) -> bytes:
    """Slides of a title and a text."""
    from pptx import Presentation

    presentation = Presentation()
    for title, text in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    return _saved(presentation.save)


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    return _saved(book.save)


def epub(chapters: Sequence[str], *, title: str = "A book", repeats: int = 1, package: str = "") -> bytes:
    """chapters: HTML of each body. repeats: how often the spine names them. package: the file that lists them."""
    items = "".join(
        f'<item id="c{at}" href="c{at}.xhtml" media-type="application/xhtml+xml"/>' for at in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{at}"/>' for at in range(len(chapters))) * repeats
    package = package or (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>{title}</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="book.opf"/></rootfiles></container>'
    )
    pages = {
        f"c{at}.xhtml": f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>{body}</body></html>'
        for at, body in enumerate(chapters)
    }
    return archive(
        {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "book.opf": package} | pages
    )


def picture(text: str) -> bytes:
    """A PNG with a text that an OCR engine can read."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (1200, 200), 255)
    ImageDraw.Draw(image).text((40, 60), text, fill=0, font=ImageFont.load_default(size=64))
    into = io.BytesIO()
    image.save(into, "PNG")
    return into.getvalue()


def large_picture(side: int) -> bytes:
    """A black PNG of so many pixels squared, in a thousandth of the bytes.

    A hundred rows are compressed, and then repeated: RFC 1950 and 1951.
    """
    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])  # 8 bits of grey
    length = side * (side + 1)
    blocks = _zeros(100 * (side + 1)) * (side // 100) + _zeros(side % 100 * (side + 1))
    checksum = (length % 65521 << 16 | 1).to_bytes(4, "big")  # Adler-32 of zeros
    data = b"\x78\xda" + blocks + b"\x03\x00" + checksum
    chunks = b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def _zeros(count: int) -> bytes:
    """Deflated, in blocks that refer to nothing before them."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(bytes(count)) + compressor.flush(zlib.Z_FULL_FLUSH)


def bomb(size_mib: int) -> bytes:
    """A member that is a thousandth of what it becomes."""
    return b"<w:document>" + b" " * (size_mib * 1024 * 1024)


def _saved(save: object) -> bytes:
    into = io.BytesIO()
    save(into)  # type: ignore[operator]  # of three libraries, all of which take a file
    return into.getvalue()
