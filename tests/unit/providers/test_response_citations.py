"""Marks in a text that streams: taken out, and told as annotations at the right place, wherever the text is cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.providers.responses.builtin.citations import Citations, FileSource, Marked, PageSource


def citations() -> Citations:
    found = Citations()
    assert found.mark(FileSource("file-a", "a.pdf", 3)) == "\u30101\u3011"
    assert found.mark(FileSource("file-b", "b.txt")) == "\u30102\u3011"
    assert found.mark(FileSource("file-a", "a.pdf", 3)) == "\u30101\u3011"
    return found


def shown(pieces: list[str]) -> tuple[str, list[dict[str, Any]]]:
    marked = Marked(citations())
    found = [one for piece in pieces for one in marked.add(piece)] + marked.end()
    return "".join(one for one in found if isinstance(one, str)), [one for one in found if not isinstance(one, str)]


def test_a_mark_is_an_annotation_where_it_stood() -> None:
    text, annotations = shown(["It is eight weeks \u30101\u3011. So it is.\u30102:0\u2020b\u3011"])
    assert text == "It is eight weeks. So it is."
    assert annotations == [
        {"type": "file_citation", "file_id": "file-a", "filename": "a.pdf", "index": 17, "page": 3},
        {"type": "file_citation", "file_id": "file-b", "filename": "b.txt", "index": 28},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\u30103\u3011",
        "\u30100\u3011",
        "\u3010",
        "a \u3010",
        "\u3010note\u3011",
        "\u3010\u3010",
        "x \u30101",
        "ends ",
        "ends  \n",
        "a \nb",
        "\u30101\n",
        "\u3010" + "1" * 40,
    ],
)
def test_what_is_no_mark_of_a_source_stays(text: str) -> None:
    assert shown([*text]) == (text, [])
    assert shown([text]) == (text, [])


def test_a_number_that_is_too_long_for_one_is_no_mark() -> None:
    text = "\u3010" + "1" * 5000 + "\u3011"
    assert shown([text]) == (text, [])


@given(
    st.lists(
        st.sampled_from(["\u30101\u3011", "\u30102\u3011", " ", "a", "\u3010", "\u3011", "7", "\u30109\u3011"]),
        max_size=12,
    ),
    st.data(),
)
def test_it_is_the_same_however_it_is_cut(words: list[str], data: st.DataObject) -> None:
    text = "".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert shown(pieces) == shown([text])


PAGE_MARK, OTHER_MARK = "\u30101\u3011", "\u30102\u3011"


@pytest.mark.parametrize(
    ("written", "cited"),
    [
        (f"It is fast {PAGE_MARK}.", ["It is fast"]),
        (f"One. Two is fast.{PAGE_MARK}", ["Two is fast."]),
        (f"It runs 3.5 km {PAGE_MARK}{OTHER_MARK}. So.", ["It runs 3.5 km", "It runs 3.5 km"]),
        (f"Fast {PAGE_MARK}, and shy {OTHER_MARK}.", ["Fast", "and shy"]),
        (f"Fast.{PAGE_MARK} Shy.{OTHER_MARK}", ["Fast.", "Shy."]),
        (f"Head\n- fast {PAGE_MARK}\n- shy {OTHER_MARK}", ["- fast", "- shy"]),
        (f"\u5feb\u3002\u6162{PAGE_MARK}", ["\u6162"]),
        (f"{PAGE_MARK} Fast", [""]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_page_is_cited_with_the_statement_that_its_mark_stands_behind(
    written: str, cited: list[str], size: int
) -> None:
    known = Citations()
    for name in ("a", "b"):
        known.mark(PageSource(f"https://{name}.test/", name.upper()))
    marked = Marked(known)
    pieces = [written[at : at + size] for at in range(0, len(written), size)]
    found = [one for piece in pieces for one in marked.add(piece)] + marked.end()
    text = "".join(one for one in found if isinstance(one, str))
    annotations = [one for one in found if not isinstance(one, str)]
    assert [text[one["start_index"] : one["end_index"]] for one in annotations] == cited
    assert annotations[0] | {"start_index": 0, "end_index": 0} == {
        "type": "url_citation", "url": "https://a.test/", "title": "A", "start_index": 0, "end_index": 0,
    }  # fmt: skip
