"""Every format that `inline::auto` reads: chosen by content, structure kept, cut as asked."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.file_processors.processor import SMALL, Processor, processing
from tests.support import documents

pytestmark = pytest.mark.asyncio(loop_scope="module")

HTML = b"""<!doctype html><html><head><title>A page</title><meta name=author content="Ann"><style>p {}</style></head>
<body><h1>Llamas</h1><p>They <b>graze</b><br>all day.<ul><li>one<li>two</ul>
<table><tr><th>name<th>size<tr><td>Ann<td>tall</table><pre>x = 1
  y = 2</pre><script>no()</script></body></html>"""
MARKDOWN = (
    b"# Llamas\n\nThey *graze*.\n\n- one\n- two\n\n| name | size |\n|---|---|\n| Ann | tall |\n\n```py\nx = 1\n```\n"
)


async def test_text_is_read_in_its_own_encoding(auto: Processor) -> None:
    assert await auto.text(b"Llamas graze.\r\n\r\nAll  day.\r\n") == "Llamas graze.\n\nAll day."
    assert await auto.text("Größe".encode("utf-16")) == "Größe"
    latin = "Die Größe der Lamas überrascht viele Gäste, die zum ersten Mal ein Gehege betreten.".encode("latin-1")
    assert "Größe" in await auto.text(latin)


@pytest.mark.parametrize(("content", "filename"), [(MARKDOWN, "notes.md"), (MARKDOWN, "notes.pdf"), (MARKDOWN, "")])
async def test_markdown_keeps_its_structure(auto: Processor, content: bytes, filename: str) -> None:
    answer = await auto.read(content, filename)
    assert answer["metadata"]["extraction_method"] == "markdown"
    [chunk] = answer["chunks"]
    assert chunk["content"] == (
        "# Llamas\n\nThey *graze*.\n\n- one\n- two\n\n| name | size |\n|---|---|\n| Ann | tall |\n\nx = 1"
    )
    assert chunk["metadata"]["title"] == "Llamas"


async def test_html_is_read_as_it_is_found(auto: Processor) -> None:
    answer = await auto.read(HTML)
    [chunk] = answer["chunks"]
    assert chunk["content"] == (
        "# Llamas\n\nThey graze\nall day.\n\n- one\n- two\n\n"
        "| name | size |\n| --- | --- |\n| Ann | tall |\n\nx = 1\n  y = 2"
    )
    assert {name: answer["metadata"][name] for name in ("title", "author", "extraction_method")} == {
        "title": "A page", "author": "Ann", "extraction_method": "html",
    }  # fmt: skip


@pytest.mark.parametrize(
    "content", [b"name;size\nAnn;1,5\nBob;2\n", b'name\tsize\n"Ann"\t1,5\nBob\t2', b"name|size\nAnn|1,5\nBob|2"]
)
async def test_csv_is_a_table_whatever_stands_between_its_fields(auto: Processor, content: bytes) -> None:
    assert await auto.text(content) == "| name | size |\n| --- | --- |\n| Ann | 1,5 |\n| Bob | 2 |"


async def test_prose_with_as_many_commas_in_each_line_is_no_table(auto: Processor) -> None:
    prose = b"First, we walk.\nThen, we rest.\nLast, we eat.\n"
    assert (await auto.read(prose))["metadata"]["extraction_method"] == "text"


async def test_json_keeps_records_whole(auto: Processor) -> None:
    found = await auto.read(b'{"a": 1}\n{"b": [2, 3]}\n')
    assert found["metadata"]["extraction_method"] == "json"
    assert found["chunks"][0]["content"] == '{\n  "a": 1\n}\n\n{\n  "b": [\n    2,\n    3\n  ]\n}'
    assert await auto.text(b'{"name": "Ann", "size": 2}') == '"name": "Ann"\n\n"size": 2'


async def test_a_pdf_has_headings_pages_and_facts(auto: Processor) -> None:
    pages = [[(24, "Llamas"), (12, "They graze."), (12, "All day.")], [(24, "Trees"), (12, "They grow.")]]
    answer = await auto.read(documents.pdf(pages, title="Nature"), "n.pdf", strategy=SMALL)
    [chunk] = answer["chunks"]
    assert chunk["content"] == "# Llamas\n\nThey graze.\nAll day.\n\n# Trees\n\nThey grow."
    assert chunk["metadata"]["page_number"] == 1 and chunk["metadata"]["last_page_number"] == 2
    assert answer["metadata"] | {"page_count": 2, "title": "Nature", "author": "Ann Llama"} == answer["metadata"]


async def test_a_pdf_that_opens_without_a_password_is_read(auto: Processor) -> None:
    assert await auto.text(documents.encrypted_pdf("")) == "A secret text."


async def test_word_documents_keep_their_structure(auto: Processor) -> None:
    styles = (
        f'<?xml version="1.0"?><w:styles xmlns:w="{documents.WORD}"><w:style w:type="paragraph" w:styleId="Heading1">'
        '<w:name w:val="heading 1"/></w:style></w:styles>'
    )
    relations = (
        '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Target="styles.xml" Type='
        '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"/></Relationships>'
    )
    body = documents.paragraph("Llamas", style="Heading1") + documents.paragraph("They graze.")
    content = documents.docx(
        body + documents.word_table([["name", "size"], ["Ann", "tall"]]),
        word__styles_dot_xml=styles,
        word___rels__document_dot_xml_dot_rels=relations,
    )
    answer = await auto.read(content, "letter.txt")
    assert answer["metadata"]["extraction_method"] == "markitdown"
    assert answer["chunks"][0]["content"].startswith("# Llamas\n\nThey graze.\n\n|")
    assert "| Ann | tall |" in answer["chunks"][0]["content"]


LINK = (
    '<w:hyperlink xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" r:id="rId5">'
    "<w:r><w:t>They graze.</w:t></w:r></w:hyperlink>"
)
PICTURE = (
    '<w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing">'
    '<a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData>'
    '<pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill><a:blip '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" r:embed="rId5"/></pic:blipFill>'
    "</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>"
)
UNLINKED = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId5" Type="hyperlink"/></Relationships>'
)


@pytest.mark.parametrize(
    "content",
    [
        documents.docx(f"<w:p>{LINK}</w:p>"),
        documents.docx(f"<w:p>{LINK}</w:p>", word___rels__document_dot_xml_dot_rels=UNLINKED),
        documents.docx(f"<w:p>{PICTURE}</w:p>" + documents.paragraph("They graze.")),
        documents.docx('<w:p><w:r><w:footnoteReference w:id="4"/></w:r></w:p>' + documents.paragraph("They graze.")),
        documents.docx(documents.paragraph("They graze."), docProps__core_dot_xml="<damaged>"),
    ],
    ids=["link", "link without a target", "picture", "footnote", "properties"],
)
async def test_what_leads_to_nothing_in_a_word_document_takes_its_text_from_nobody(
    auto: Processor, content: bytes
) -> None:
    assert "They graze." in await auto.text(content)


async def test_slides_are_pages(auto: Processor) -> None:
    content = documents.pptx([("Llamas", "They graze."), ("Trees", "They grow.")])
    answer = await auto.read(content)
    assert answer["metadata"]["page_count"] == 2
    assert answer["chunks"][0]["content"] == "# Llamas\n\nThey graze.\n\n# Trees\n\nThey grow."
    assert await auto.text(content, options={"page_range": "2"}) == "# Trees\n\nThey grow."


async def test_sheets_are_tables_under_their_names(auto: Processor) -> None:
    found = await auto.text(documents.xlsx({"Herd": [["name", "size"], ["Ann", 3]], "Trees": [["kind"], ["oak"]]}))
    assert found.startswith("## Herd\n\n| name | size |") and "| Ann | 3 |" in found and "## Trees" in found


async def test_books_are_read_in_the_order_of_their_spine(auto: Processor) -> None:
    book = documents.epub(["<h1>One</h1><p>First.</p>", "<h1>Two</h1><ul><li>Second.</li></ul>"])
    answer = await auto.read(book)
    assert [chunk["content"] for chunk in answer["chunks"]] == ["# One\n\nFirst.\n\n# Two\n\n- Second."]
    assert (answer["metadata"]["title"], answer["metadata"]["extraction_method"]) == ("A book", "epub")


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
async def test_the_text_of_an_image_is_read(auto: Processor) -> None:
    answer = await auto.read(documents.picture("Llamas graze"))
    assert answer["metadata"]["extraction_method"] == "ocr"
    assert "Llamas" in answer["chunks"][0]["content"]


async def test_an_image_without_an_ocr_engine_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with processing(tmp_path) as processor:
        code, message = await processor.refused(documents.picture("Llamas graze"))
        assert code == "unsupported_document" and "install `tesseract`" in message


async def test_a_model_that_a_library_would_download_is_missed_by_name(tmp_path: Path) -> None:
    """Where documents are read there is no network, and the document is not to blame."""
    async with processing(tmp_path, "inline::unstructured", workers=1) as processor:
        answered = await processor.ask(b"Llamas graze.")
        assert answered.status == 503
        message = answered.error["message"]
        assert "`en_core_web_sm`" in message and "additional_pip_packages" in message


async def test_a_document_is_cut_as_asked(auto: Processor) -> None:
    sentences = " ".join(f"Llama number {number} grazes on the hill." for number in range(60)).encode()
    whole = (await auto.read(sentences))["chunks"]
    cut = (await auto.read(sentences, strategy=SMALL))["chunks"]
    usual = (await auto.read(sentences, strategy={"type": "auto"}))["chunks"]
    assert (len(whole), len(usual)) == (1, 1) and len(cut) > 5
    counts = [chunk["chunk_metadata"]["content_token_count"] for chunk in cut]
    assert max(counts) <= 100 and min(counts[:-1]) > 80
    for chunk in cut:
        about = chunk["chunk_metadata"]
        assert about["chunk_id"] == chunk["chunk_id"] and about["chunk_tokenizer"] == "cl100k_base"
        assert about["document_id"] == chunk["metadata"]["document_id"]
        assert chunk["content"].endswith(".")
    windows = [tuple(map(int, chunk["chunk_metadata"]["chunk_window"].split("-"))) for chunk in cut]
    assert all(later[0] < earlier[1] < later[1] for earlier, later in pairwise(windows))


@pytest.mark.parametrize("words", ["a" * 60_000, "🦙" * 3_000, "अ" * 5_000])
async def test_a_text_without_blanks_is_cut_between_characters(auto: Processor, words: str) -> None:
    chunks = (await auto.read(words.encode(), strategy=SMALL))["chunks"]
    assert max(chunk["chunk_metadata"]["content_token_count"] for chunk in chunks) <= 100
    assert "\ufffd" not in "".join(chunk["content"] for chunk in chunks)


async def test_options_choose_pages_and_what_is_told(auto: Processor) -> None:
    content = documents.pdf([[(12, f"Page {number}.")] for number in range(1, 6)], title="Nature")
    assert await auto.text(content, options={"page_range": [2, 3]}) == "Page 2.\n\nPage 3."
    assert await auto.text(content, options={"page_range": "1,4-9"}) == "Page 1.\n\nPage 4.\n\nPage 5."
    answer = await auto.read(content, options={"extract_metadata": False})
    assert "title" not in answer["metadata"] and "title" not in answer["chunks"][0]["metadata"]
    assert await auto.text(b"a   b\n\n\nc", options={"clean_text": False}) == "a   b\n\nc"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"page_range": "0"}, "page_range"), ({"page_range": [3, 1]}, "page_range"), ({"page_range": {}}, "page_range"),
        ({"clean_text": "yes"}, "clean_text"), ({"pages": 3}, "there are clean_text, extract_metadata, page_range"),
    ],
)  # fmt: skip
async def test_wrong_options_are_named(auto: Processor, options: Any, words: str) -> None:
    error = (await auto.ask(b"Text.", options=options)).error
    assert error["param"] == "options" and words in error["message"]


@pytest.mark.parametrize("separator", ["\u2028", "\x0c", "\x85"])
async def test_only_ends_of_lines_end_lines(auto: Processor, separator: str) -> None:
    markdown = f"one{separator}line\n\n# Llamas\n\nThey graze.\n\nThe end.\n"
    assert (await auto.text(markdown.encode(), "notes.md")).endswith("# Llamas\n\nThey graze.\n\nThe end.")
    lines = f'{{"a": "x{separator}y"}}\n{{"b": 1}}\n'.encode()
    if separator in "\u2028\x85":  # JSON has the other one escaped
        assert (await auto.read(lines))["metadata"]["extraction_method"] == "json"
    table = f"a,b\n1,x{separator}y\n2,z\n".encode()
    assert (await auto.read(table))["metadata"]["row_count"] == 2
