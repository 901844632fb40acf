"""What a terminal shows of Markdown that comes in pieces: nothing is lost, doubled or left behind, whatever the pieces.

A terminal emulator says what is seen; the screen is that of `pyte`, with all that has scrolled off it.
"""

from __future__ import annotations

import io
import re
import sys
from itertools import pairwise
from types import SimpleNamespace

import pyte
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.syntax import Syntax

from llama_cli.conversation import markdown
from llama_cli.conversation.markdown import Markdown
from llama_cli.conversation.screen import Screen
from tests.support.terminal import HOSTILE, steering

SAMPLE = """\
# A title

Some **bold** and *slanted* and `code` and ~~gone~~, with [a link](https://x.y/z) and <b>HTML</b> &lt; that stays.
- one **two** three
  1. nested
- [ ] to do
> said by others

| a | b |
|---|--:|
| x | `1` |
| yy \\| z | 22 |

```python
def f(x):
    return x  # why
```
---
An end **that is half"""

SHOWN = """\
A title

Some bold and slanted and code and gone, with a link (https://x.y/z) and
<b>HTML</b> &lt; that stays.
• one two three
  1. nested
• [ ] to do
│ said by others

 a        b
 ──────────
 x        1
 yy | z  22

```python
def f(x):
    return x  # why
```
────────────────────────────────────────
An end **that is half"""


class Terminal(io.StringIO):
    """Standard output that is an emulated terminal."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__()
        self.emulator = pyte.HistoryScreen(columns, lines, history=10_000, ratio=0.5)
        self._stream = pyte.Stream(self.emulator)

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        super().write(text)
        self._stream.feed(text.replace("\n", "\r\n"))  # as the system does it
        return len(text)

    def seen(self) -> str:
        scrolled = ["".join(line[x].data for x in range(self.emulator.columns)) for line in self.emulator.history.top]
        return "\n".join(line.rstrip() for line in [*scrolled, *self.emulator.display]).rstrip()


def shown(pieces: list[str], *, columns: int = 80, lines: int = 24) -> Terminal:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("LINES", str(lines))
        terminal = Terminal(columns, lines)
        patch.setattr(sys, "stdout", terminal)
        writer = Markdown()
        for piece in pieces:
            writer.write(piece)
        writer.close(is_whole=True)
    return terminal


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def test_what_is_seen() -> None:
    assert shown([SAMPLE]).seen() == SHOWN


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=40), st.sampled_from([(80, 24), (40, 6), (24, 5)]))
@example([*range(1000)], (80, 24))
def test_pieces_make_no_difference(places: list[int], size: tuple[int, int]) -> None:
    columns, lines = size
    whole = shown([SAMPLE], columns=columns, lines=lines).seen()
    assert shown(cut(SAMPLE, places), columns=columns, lines=lines).seen() == whole


@settings(max_examples=50, deadline=None)
@given(
    st.text(st.sampled_from([*"ab12 \n\n`*_#>|-~[]()<&\\:.\t", "é", "漢", "🦙"]), max_size=200),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_no_word_is_lost_whatever_comes(text: str, places: list[int]) -> None:
    seen = shown(cut(text, places), columns=200, lines=10).seen()
    # A list's number or a fence's language is a word too; what stands in an address is there in another spelling.
    missing = [word for word in set(words(re.sub(r"\]\([^)]*\)", "]", text))) if word not in seen.replace("\n", "")]
    assert missing == []


def test_what_is_longer_than_the_screen_scrolls_and_stays_whole() -> None:
    code = "".join(f"print({number})\n" for number in range(100))
    paragraph = " ".join(f"word{number}" for number in range(600))
    table = "| n |\n|---|\n" + "".join(f"| row{number} |\n" for number in range(60))
    text = f"```python\n{code}```\n{paragraph}\n\n{table}\nend"
    terminal = shown([text[start : start + 7] for start in range(0, len(text), 7)], columns=60, lines=10)
    assert words(terminal.seen()) == words(text)


def test_code_is_colored_as_often_as_there_is_time_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line takes as long as many, so that a program of a thousand would otherwise take minutes."""
    now, highlight, began = [0.0], Syntax.highlight, list[str]()

    def slow(self: Syntax, code: str) -> object:
        began.append(code)
        now[0] += 0.05
        return highlight(self, code)

    def tick() -> float:
        now[0] += 0.001
        return now[0]

    monkeypatch.setattr(Syntax, "highlight", slow)
    monkeypatch.setattr(markdown, "time", SimpleNamespace(monotonic=tick))
    lines = [f"value{number} = 'text'" for number in range(600)]
    terminal = shown(["```python\n", *(f"{line}\n" for line in lines), "```\n"])
    assert terminal.seen() == "\n".join(["```python", *lines, "```"])
    assert 2 < len(began) < 60
    assert len(re.findall(r"\x1b\[[\d;]*mtext\x1b", terminal.getvalue())) == 600  # each of them


def test_a_long_table_is_drawn_as_far_as_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    printed, print_ = [0], Console.print

    def counting(self: Console, *objects: object, **options: object) -> None:
        printed[0] += 1
        print_(self, *objects, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Console, "print", counting)
    rows = [f"| row{number} | x |\n" for number in range(400)]
    terminal = shown(["| a | b |\n|---|---|\n", *rows])
    assert words(terminal.seen())[-2:] == ["row399", "x"] and printed[0] < 400 * 25


@pytest.mark.parametrize("columns", [8, 15, 19])
def test_a_terminal_that_is_narrower_than_anything_shows_nothing_twice(columns: int) -> None:
    text = "A line of words that goes on and on, 漢字漢字漢字漢字漢字漢字.\n\n| name | of |\n|---|---|\n| what | is |\n"
    terminal = shown(list(text), columns=columns)
    assert "".join(words(terminal.seen())) == "Alineofwordsthatgoesonandon漢字漢字漢字漢字漢字漢字nameofwhatis"


def test_code_is_copied_as_it_was_written() -> None:
    line = "x = " + " + ".join(f"value_{number}" for number in range(30))
    terminal = shown(list(f"```python\n{line}\n```\n"), columns=60)
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", terminal.getvalue())
    assert line in re.split(r"[\r\n]+", plain)  # not broken by us: a terminal folds it


def test_nothing_in_it_steers_the_terminal() -> None:
    text = f"{HOSTILE} **b{HOSTILE}** [t{HOSTILE}](http://x/{HOSTILE}) &#27;[2J &#x202e;\n"
    text += f"```{HOSTILE}\n{HOSTILE}\n```\n"
    text += f"| {HOSTILE} |\n|---|\n| {HOSTILE} |\n\n[a](javascript:alert(1)) <http://x.y>"
    terminal = shown(list(text))
    ours = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\d*A|\r?\x1b\[J")
    assert steering(ours.sub("", terminal.getvalue())) == set()
    assert "\x1b]8" not in terminal.getvalue()


@pytest.mark.parametrize("pieces", [["a\r\nb\r\n"], list("a\r\nb\r\n")])
def test_lines_may_end_as_windows_has_them(pieces: list[str]) -> None:
    assert shown(pieces).seen() == "a\nb"


def test_a_terminal_that_becomes_narrower_shows_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal(80, 24)
    monkeypatch.setattr(sys, "stdout", terminal)
    screen = Screen()
    screen.draw(["begun"])
    monkeypatch.setenv("COLUMNS", "40")
    terminal.emulator.resize(24, 40)
    screen.draw(["begun " + "漢字" * 15 + " wor"])  # in two of the terminal's rows
    screen.draw(["begun " + "漢字" * 15, "word"])
    screen.settle(["begun " + "漢字" * 15, "word"])
    assert terminal.seen().split() == ["begun", "漢字" * 8 + "漢", "字" + "漢字" * 6, "word"]


def test_only_what_changes_is_written_again() -> None:
    terminal = shown([*"a plain line of text that only grows\n"])
    assert terminal.getvalue() == "a plain line of text that only grows\n"
