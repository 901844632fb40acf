"""Chunks end where the structure of a document allows it, and never have more tokens than asked for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.documents.chunking import DocumentChunk, Sizes, cut
from runtime.documents.document import Block, Document, table

WORD = re.compile(r"\s+|\w+|[^\w\s]")


class Words:
    """Counts words, single marks and runs of blanks: a real package would have to be installed for these tests."""

    name = "words"

    def count(self, text: str) -> int:
        return sum(not found[0].isspace() for found in WORD.finditer(text))

    def split(self, text: str, max_tokens: int) -> list[str]:
        words = WORD.findall(text)
        return ["".join(words[at : at + max_tokens]) for at in range(0, len(words), max_tokens)]


def chunks(*blocks: Block, size: int = 20, overlap: int = 0) -> list[DocumentChunk]:
    return cut(Document(blocks=blocks), Sizes(max_tokens=size, overlap_tokens=overlap), Words())


def text(words: str, *, page: int | None = None) -> Block:
    return Block(kind="paragraph", text=words, page=page)


def heading(words: str, level: int = 1) -> Block:
    return Block(kind="heading", text=words, level=level)


def test_a_document_without_sizes_is_one_chunk() -> None:
    [chunk] = cut(Document(blocks=(heading("Llamas"), text("They graze."))), None, Words())
    assert (chunk.text, chunk.start, chunk.end) == ("# Llamas\n\nThey graze.", 0, chunk.tokens)


def test_an_empty_document_has_no_chunks() -> None:
    assert cut(Document(blocks=(text("  "),)), None, Words()) == []
    assert chunks() == []


def test_a_chunk_ends_with_a_sentence() -> None:
    found = chunks(text("One two three four five. " * 6), size=13)
    assert [chunk.text for chunk in found] == ["One two three four five. One two three four five."] * 3


def test_what_overlaps_is_whole_sentences_within_the_limit() -> None:
    sentences = [f"Number {number} is here." for number in range(8)]
    found = chunks(text(" ".join(sentences)), size=15, overlap=7)
    assert [chunk.text for chunk in found][:2] == [" ".join(sentences[0:3]), " ".join(sentences[2:5])]
    assert found[1].start < found[0].end


def test_a_heading_stays_with_what_follows_it() -> None:
    found = chunks(
        text("One two three four five six seven eight nine ten."), heading("Next"), text("More words here."), size=14
    )
    assert [chunk.text for chunk in found][1] == "# Next\n\nMore words here."


def test_headings_above_are_told_of_each_chunk() -> None:
    found = chunks(heading("Animals"), heading("Llamas", 2), text("They graze. " * 12), heading("Trees"), text("Tall."))
    assert [chunk.headings for chunk in found] == [(), ("Animals", "Llamas"), ("Animals", "Llamas")]


def test_a_table_is_cut_between_rows_and_repeats_its_head() -> None:
    block = table([["name", "size"], *([f"row{number}", str(number)] for number in range(9))])
    assert block is not None
    head = "\n".join(block.text.split("\n")[:2])
    found = chunks(block, size=40)
    assert len(found) == 2
    assert all(chunk.text.startswith(head) for chunk in found)
    rows = [line for chunk in found for line in chunk.text.split("\n")[2:]]
    assert rows == block.text.split("\n")[2:]


def test_code_is_cut_between_lines_and_keeps_its_indentation() -> None:
    block = Block(kind="code", text="def one():\n    return 1\n\ndef two():\n    return 2")
    assert [chunk.text for chunk in chunks(block, size=9)] == ["def one():\n    return 1", "def two():\n    return 2"]


def test_the_pages_of_a_chunk_are_told() -> None:
    found = chunks(text("On one.", page=1), text("On two.", page=2), text("Nowhere."))
    assert [chunk.pages for chunk in found] == [(1, 2)]


@pytest.mark.parametrize("words", ["a" * 50_000, "word " * 5_000, "🦙" * 3_000, "\n" * 5_000 + "x"])
def test_a_text_without_borders_is_cut_all_the_same(words: str) -> None:
    found = chunks(text(words))
    assert max(chunk.tokens for chunk in found) <= 20
    assert re.sub(r"\s", "", "".join(chunk.text for chunk in found)) == re.sub(r"\s", "", words)


BLOCKS = st.lists(
    st.one_of(
        st.builds(text, st.text(alphabet="ab .!\n🦙", max_size=80)),
        st.builds(heading, st.text(alphabet="ab", min_size=1, max_size=8), st.integers(1, 6)),
        st.builds(
            lambda rows: table(rows) or text("x"),
            st.lists(st.lists(st.text(alphabet="ab |", max_size=8), max_size=3), max_size=6),
        ),
    ),
    max_size=8,
)


@settings(max_examples=80, deadline=None)
@given(BLOCKS, st.integers(20, 60), st.integers(0, 30))
def test_any_document_is_cut_into_all_of_its_words_within_the_limit(
    blocks: list[Block], size: int, overlap: int
) -> None:
    found = chunks(*blocks, size=size, overlap=min(overlap, size // 2))
    assert all(0 < chunk.tokens <= size for chunk in found)
    said = set(re.findall(r"\w+", "\n".join(chunk.text for chunk in found)))
    assert said >= {word for block in blocks for word in re.findall(r"\w+", block.text)}
    assert [chunk.end for chunk in found] == sorted(chunk.end for chunk in found)
