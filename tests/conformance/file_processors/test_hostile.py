"""Documents that mean harm, or come to it: a clear 400 for each, and the next one is read as ever."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conformance.file_processors.conftest import MIB
from tests.conformance.file_processors.processor import SMALL, Processor, processing
from tests.support import documents
from tests.support.documents import archive, docx, paragraph, pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")

PDF = pdf([[(12, "Some text.")]])
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PARTLESS = {"[Content_Types].xml": documents.CONTENT_TYPES, "word/x": "x"}
DOCX = docx(paragraph("Some text."))
ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    + f']><w:document xmlns:w="{documents.WORD}"><w:body><w:p><w:r><w:t>&i;</w:t></w:r></w:p></w:body></w:document>'
)
WIDE_ENTITIES = ENTITIES.encode("utf-16")
ENCODED = '<?xml version="1.0" encoding="{}"?><d/>'
OUTSIDE = ENTITIES.replace('"aaaaaaaaaa"', 'SYSTEM "file:///etc/passwd"')


def with_flag(content: bytes, flag: int) -> bytes:
    """An archive whose members claim a flag."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + offset] |= flag
            at = changed.find(mark, at + 1)
    return bytes(changed)


def lying(content: bytes) -> bytes:
    """An archive whose directory says that the largest member is small."""
    with zipfile.ZipFile(io.BytesIO(content)) as read:
        largest = max(read.infolist(), key=lambda member: member.file_size)
    return content.replace(largest.file_size.to_bytes(4, "little"), (100).to_bytes(4, "little"))


def nested_archive(depth: int) -> bytes:
    content = archive({"a": b"x"})
    for _ in range(depth):
        content = archive({"a.zip": content})
    return content


def loop_of_pages() -> bytes:
    return PDF.replace(b"/Kids [5 0 R]", b"/Kids [2 0 R]")


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "document_without_text"),
    "zeros": (lambda: b"\0" * 10_000, "document_without_text"),
    "noise": (lambda: os.urandom(50_000), "unsupported_document"),
    "program": (lambda: b"\x7fELF" + bytes(1000), "unsupported_document"),
    "gzip": (lambda: b"\x1f\x8b" + bytes(1000), "unsupported_document"),
    "pdf cut short": (lambda: PDF[:200], "invalid_document"),
    "pdf that is only its first line": (lambda: b"%PDF-1.7\n", "invalid_document"),
    "pdf with noise in it": (lambda: PDF[:100] + os.urandom(500), "invalid_document"),
    "pdf whose pages lead back": (loop_of_pages, "invalid_document"),
    "pdf with a password": (lambda: documents.encrypted_pdf("s3cret"), "encrypted_document"),
    "pdf bomb": (lambda: pdf([], streams=[zlib.compress(b" " * 200_000_000)]), "document_over_limit"),
    "pdf of 1,000 pages": (lambda: pdf([[(12, "Text.")]] * 1000), "document_over_limit"),
    "pdf without text": (lambda: pdf([[]]), "document_without_text"),
    "zip": (lambda: archive({"a.txt": "text"}), "unsupported_document"),
    "zip in zips": (lambda: nested_archive(20), "unsupported_document"),
    "docx cut short": (lambda: DOCX[: len(DOCX) // 2], "unsupported_document"),
    "docx without its document": (lambda: archive(PARTLESS), "invalid_document"),
    "docx that is no XML": (lambda: docx("</w:p>"), "document_without_text"),
    "docx with a password": (lambda: OLE + "EncryptedPackage".encode("utf-16-le"), "encrypted_document"),
    "doc of before 2007": (lambda: OLE + bytes(600), "unsupported_document"),
    "docx with encrypted members": (lambda: with_flag(DOCX, 1), "encrypted_document"),
    "docx bomb": (lambda: docx("", word__more_dot_xml=documents.bomb(64)), "document_over_limit"),
    "docx bomb that lies": (lambda: lying(docx("", word__more_dot_xml=documents.bomb(64))), "invalid_document"),
    "docx with an archive in it": (lambda: docx("", more=archive({"a": b"x"})), "unsupported_document"),
    "docx of many members": (lambda: docx("", **{f"a{n}": b"" for n in range(25_000)}), "document_over_limit"),
    "docx with an entity bomb": (lambda: docx("", word__document_dot_xml=ENTITIES), "invalid_document"),
    "docx with an entity bomb in UTF-16": (lambda: docx("", word__document_dot_xml=WIDE_ENTITIES), "invalid_document"),
    "docx with an entity from outside": (lambda: docx("", word__document_dot_xml=OUTSIDE), "invalid_document"),
    **{
        f"docx in {name}": (lambda name=name: docx("", word__document_dot_xml=ENCODED.format(name)), "invalid_document")
        for name in ("klingon", "hex", "undefined", "shift_jis")
    },
    "docx of great depth": (lambda: docx("<w:p>" * 3_000 + "</w:p>" * 3_000), "document_over_limit"),
    "docx of great depth in UTF-16": (
        lambda: docx("", word__document_dot_xml=("<d>" * 200_000).encode("utf-16")), "document_over_limit",
    ),
    "epub without its package": (lambda: documents.epub([], package="</package>"), "invalid_document"),
    "epub without pages": (lambda: documents.epub([]), "document_without_text"),
    "html that is all comments": (lambda: b"<html><body>" + b"<!--" * 50_000 + b"deep", "document_without_text"),
    "json of great depth": (lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, ""),
    "text beyond the limit": (lambda: b"All work. " * 200_000, "document_over_limit"),
    "csv with a field beyond the limit": (lambda: b'a,b\n"' + b"x" * 1_500_000 + b'",1\n', "document_over_limit"),
}  # fmt: skip


IMAGES: dict[str, tuple[Callable[[], bytes], str]] = {
    "image cut short": (lambda: documents.picture("Llamas")[:200], "invalid_document"),
    "image bomb": (lambda: documents.large_picture(40_000), "invalid_document"),
}
if shutil.which("tesseract"):
    CASES |= IMAGES


@pytest.mark.parametrize("case", CASES)
async def test_a_hostile_document_is_refused_with_its_reason(auto: Processor, case: str) -> None:
    make, wanted = CASES[case]
    answered = await auto.ask(make(), "report.docx")
    if not wanted:  # what is in it may be read
        assert answered.status in (200, 400), answered.body[:500]
    else:
        error = answered.error
        assert (answered.status, error["code"]) == (400, wanted), error
        assert "/etc/" not in error["message"] and "Traceback" not in error["message"]
        assert not error["message"].endswith("Error during processing.")  # tesseract's last words, which say nothing
    assert await auto.text(b"Still here.") == "Still here."


@pytest.mark.parametrize(
    "content",
    [
        b"<div>" * 200_000 + b"deep",
        b"<table><tr><td>" * 20_000 + b"deep",
        b"<svg>" * 200_000 + b"</svg>" * 200_000 + b"<p>deep",
        documents.epub(["<div>" * 200_000 + "deep"]),
        b"> " * 5_000 + b"deep",
        b"- " * 5_000 + b"deep",
        b"[" * 20_000 + b"deep",
        b"`" * 100_000 + b"\ndeep",
    ],
    ids=["div", "table", "svg", "epub", "quotes", "lists", "brackets", "ticks"],
)
async def test_text_of_great_depth_costs_no_more_than_other_text(auto: Processor, content: bytes) -> None:
    assert "deep" in await auto.text(b"<html><body>" + content if content.startswith(b"<") else content, "page.md")


@pytest.mark.parametrize(
    "content",
    [
        documents.pdf([[(12, "AB graze.")]], title="\\376\\377\\330\\000", letters={0x41: 0xD800, 0x42: 0}),
        b"<html><meta charset=unicode_escape><p>\\ud800 graze.",
        b"<html><meta charset=utf-7><p>K+2AA- graze.",
        b"<html><meta charset=punycode><p>\\ud800 graze.",
        b"<p>&#xd800; &#0; graze.",
    ],
    ids=["pdf", "escapes", "utf-7", "punycode", "references"],
)
async def test_halves_of_surrogate_pairs_and_nuls_reach_no_answer(auto: Processor, content: bytes) -> None:
    answered = await auto.ask(content, "report")
    assert answered.status == 200, answered.body
    assert "graze." in answered.body.decode() and b"\\u0000" not in answered.body


async def test_a_depth_that_would_take_a_worker_minutes_is_seen_before(auto: Processor) -> None:
    answered = await auto.ask(docx("<w:p>" * 200_000 + "</w:p>" * 200_000), "report.docx")
    assert "nested more than 1000 deep" in answered.error["message"]


MARKS = {
    "end tags": b"</",
    "declarations": b"<!",
    "sections": b"<![",
    "sections of text": b"<![CDATA[",
    "comments": b"<!--",
    "instructions": b"<?",
    "signs": b"<",
    "tags": b"<a ",
    "quotes": b"<a b='<a b=\"",
    "references": b"&#",
    "numbers": b"&#" + b"9" * 5000,
    "elements": b"<div>",
    "tables": b"<table><tr><td>",
    "cells": b"<td>",
    "lists": b"<ul><li>",
    "scripts": b"<script></",
}
"""What HTML is made of, each many times over and nothing of it ended."""
LARGE_BYTES, LARGE_LIMIT_S = 5 * MIB, 30.0
UNEVEN = b"<table><tr>" + b"<td>x" * 300_000 + b"<tr><td>x" * 300_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def roomy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Processor]:
    """With room for all text of a large document, and a limit that only time which grows with the square exceeds."""
    async with processing(tmp_path_factory.mktemp("roomy"), workers=1, timeout_s=LARGE_LIMIT_S) as found:
        yield found


@pytest.mark.parametrize("mark", MARKS)
async def test_five_megabytes_of_marks_are_read_like_any_page(roomy: Processor, mark: str) -> None:
    content = b"<html><body><p>First.</p>" + MARKS[mark] * (LARGE_BYTES // len(MARKS[mark]))
    assert (await roomy.text(content)).startswith("First.")


async def test_so_are_those_in_a_book(roomy: Processor) -> None:
    book = documents.epub(["<p>First.</p>", *(MARKS[mark].decode() * 500_000 for mark in ("end tags", "declarations"))])
    assert (await roomy.text(book)).startswith("First.")


async def test_a_table_costs_no_more_than_its_cells(roomy: Processor) -> None:
    head, _, *rows = (await roomy.text(UNEVEN)).splitlines()
    assert head.count("x") == 300_000 and rows == ["| x |"] * 300_000


async def test_a_page_that_a_book_names_many_times_is_read_once(roomy: Processor) -> None:
    book = documents.epub(["<p>First.</p>"], repeats=100_000)
    assert await roomy.text(book) == "First."


async def test_a_part_of_what_is_too_long_can_be_read(auto: Processor) -> None:
    content = pdf([[(12, f"Page {number}.")] for number in range(1, 1001)])
    code, message = await auto.refused(content)
    assert code == "document_over_limit" and "1000 pages" in message and "page_range" in message
    assert await auto.text(content, options={"page_range": "999-1000"}) == "Page 999.\n\nPage 1000."


async def test_without_room_for_a_document_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with processing(tmp_path) as found:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
        answered = await found.ask(b"x")
        assert (answered.status, answered.error["code"]) == (503, "storage_unavailable")


async def test_a_file_beyond_the_limit_is_too_large(tmp_path: Path) -> None:
    async with processing(tmp_path, max_file_size_bytes=1000) as small:
        answered = await small.ask(b"x" * 1001)
        assert answered.status == 413 and "1000 bytes" in answered.error["message"]
        assert await small.text(b"x" * 1000) == "x" * 1000


@pytest.mark.parametrize("content", [b"<!-- a -->\n" * 40, b"[" * 60_000, b"**a " * 15_000])
async def test_a_kind_is_found_without_trying_every_way(auto: Processor, content: bytes) -> None:
    assert (await auto.text(content + b"\nThe end.", "notes.txt")).endswith("The end.")


@pytest.mark.parametrize(
    "content", [b"# H" + b"h" * 5000 + b"\n\n%s", b"<html><title>T" + b"t" * 5000 + b"</title><p>%s"]
)
async def test_what_each_chunk_repeats_is_short(auto: Processor, content: bytes) -> None:
    answer = await auto.read(content % (b"They graze all day long. " * 2000), "page.md", strategy=SMALL)
    assert len(answer["chunks"]) > 100
    assert all(len(str(chunk["metadata"])) < 1500 for chunk in answer["chunks"][1:])
