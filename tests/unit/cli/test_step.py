"""How far a part of long work is, in one line of a terminal."""

from __future__ import annotations

import time

import pytest

from llama_cli.terminal import words
from llama_cli.terminal.step import Step, cut, width


def download(done: float, total: float | None = 780.1e6, *, rate: float = 12.3e6, detail: str = "torch") -> Step:
    step = Step("downloading packages", total, "bytes", done, detail)
    step._seen.append((time.monotonic() - 4, done - 4 * rate))
    return step


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (36, "downloading packages 340.2 of 780.1…"),
        (60, "downloading packages 340.2 of 780.1 MB, 12.3 MB/s, 35s left"),
        (77, "downloading packages ━━━━━━━╸───────── 340.2 of 780.1 MB, 12.3 MB/s, 35s left"),
        (81, "downloading packages ━━━━━━━━╸─────────── 340.2 of 780.1 MB, 12.3 MB/s, 35s left"),
        (117, "downloading packages ━━━━━━━━╸─────────── 340.2 of 780.1 MB, 12.3 MB/s, 35s left: torch"),
    ],
)
def test_what_a_line_holds_at_each_width(columns: int, line: str) -> None:
    shown = download(340.2e6).describe(columns)
    assert shown == line
    assert len(shown) <= columns


def test_a_line_for_a_log_holds_all_but_the_picture() -> None:
    assert download(340.2e6).describe() == "downloading packages 340.2 of 780.1 MB, 12.3 MB/s, 35s left: torch"


def test_units_that_differ_are_both_named() -> None:
    assert download(12_000, rate=0).describe() == "downloading packages 12.0 kB of 780.1 MB: torch"
    assert download(0, rate=0).describe() == "downloading packages 0 bytes of 780.1 MB: torch"


def test_less_than_a_second_is_not_counted_down() -> None:
    assert download(779e6).describe() == "downloading packages 779.0 of 780.1 MB, 12.3 MB/s: torch"


def test_more_than_was_expected_is_no_more_than_all_of_the_bar() -> None:
    assert "━" * 20 in download(800e6, rate=0).describe(120)


def test_pieces_need_no_word() -> None:
    step = Step("installing packages", 28, done=5, detail="numpy==2.3.0")
    assert step.describe(77) == "installing packages ━━━╸──────────────── 5 of 28: numpy==2.3.0"


def test_what_counts_nothing_says_how_long_it_takes_once_it_is_long() -> None:
    assert Step("starting `starter`").describe(77) == "starting `starter`"
    assert Step("starting `starter`", began=time.monotonic() - 75).describe(77) == "starting `starter` 1m15s"


def test_nothing_in_it_steers_a_terminal() -> None:
    assert Step("doing \x1b[2J", detail="a\nb\r").describe(77) == r"doing \x1b[2J: a\nb\r"


def test_wide_and_combining_characters_are_measured_as_they_are_shown() -> None:
    assert width("羊駝") == 4 and width("cafe\u0301") == 4
    assert cut("羊駝羊駝", 6) == "羊駝…"
    assert cut("羊駝", 4) == "羊駝"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (131_072, "131.1 kB"),
        (450_800_000, "450.8 MB"), (2e9, "2.0 GB"), (7e13, "70.0 TB"),
    ],
)  # fmt: skip
def test_sizes(count: float, text: str) -> None:
    assert words.size(count) == text
