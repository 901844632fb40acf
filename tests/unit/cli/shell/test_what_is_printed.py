"""Nothing that is printed can steer a terminal, and nothing that is lost is kept quiet: for all that `console` and
`tables` print with.
"""

from __future__ import annotations

import inspect
import io
import json
import re
from collections.abc import Callable

import pytest

from llama_cli.exits import Failure, OutputLost
from llama_cli.servers import log as server_log
from llama_cli.terminal import console, prompts
from llama_cli.terminal.tables import Column, listing
from tests.support.terminal import HOSTILE, steering

HARMLESS = "a title"
COLUMNS = [Column("name", "Name"), Column("parts", "Parts")]


def listed(text: str) -> None:
    listing([{"name": text, "parts": [text, text]}], COLUMNS, name="name")


def asked(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", typed := Stream(is_terminal=True))
        typed.write("y\n")
        typed.seek(0)
        patch.setattr("sys.stderr.is_terminal", True)
        try:
            prompts.confirm(text, yes=False)
        except Failure as refused:  # with `--json` nobody is asked
            console.failure(refused)


PRINTS: dict[str, Callable[[str], None]] = {
    "out": console.out,
    "title": console.title,
    "row": lambda text: console.row(text, text),
    "say": lambda text: console.say(text, label="ready"),
    "detail": console.detail,
    "next_step": console.next_step,
    "tell": console.tell,
    "dimly": console.dimly,
    "aside": lambda text: console.aside(text, "ready", "detail"),
    "warn": console.warn,
    "warn_once": console.warn_once,
    "hint": console.hint,
    "document": lambda text: console.document({text: [text]}),
    "event": lambda text: console.event({text: text}),
    "failure": lambda text: console.failure(Failure(text, hint=text)),
    "listing": listed,
    "confirm": asked,
}
PRINTS_NOTHING = {
    *(
        "configure",
        "set_json",
        "set_quiet",
        "is_terminal",
        "is_any_terminal",
        "is_read",
        "terminal_size",
        "has_color",
        "heading",
        "can_draw",
    ),
    "let_go",
    *("write", "write_bytes"),  # what others made harmless, and what no terminal gets
}


class Stream(io.StringIO):
    """A standard stream. refuses: the error that writing to it brings."""

    def __init__(self, *, is_terminal: bool = False, refuses: int | None = None) -> None:
        super().__init__()
        self.is_terminal = is_terminal
        self.refuses = refuses

    def isatty(self) -> bool:
        return self.is_terminal

    def write(self, text: str) -> int:
        if self.refuses is not None:
            raise OSError(self.refuses, "refused")
        text.encode()  # as a real one does
        return super().write(text)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "400")


def printed(print_it: Callable[[str], None], text: str, monkeypatch: pytest.MonkeyPatch, **streams: Stream) -> str:
    """What comes out on both streams together."""
    out, err = streams.get("out", Stream()), streams.get("err", Stream())
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    print_it(text)
    return out.getvalue() + err.getvalue()


def test_every_function_that_prints_is_known_here() -> None:
    own = [(name, found) for name, found in inspect.getmembers(console, inspect.isfunction) if name[0] != "_"]
    assert {name for name, found in own if found.__module__ == console.__name__} == (
        PRINTS.keys() - {"listing", "confirm"}
    ) | PRINTS_NOTHING


@pytest.mark.parametrize("piped", ["", "out", "err"])
def test_what_next_is_told_to_a_person_alone(piped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = {name: Stream(is_terminal=name != piped) for name in ("out", "err")}
    said = printed(console.next_step, "llama stack ps", monkeypatch, **streams)
    assert said == ("" if piped else "next: llama stack ps\n")
    assert streams["out"].getvalue() == ""
    monkeypatch.setattr(console.settings, "quiet", True)
    assert printed(console.next_step, "llama stack list", monkeypatch, **streams) == said


@pytest.mark.parametrize("options", [[], ["--json"], ["-q"], ["--verbose", "--color=always"]], ids=" ".join)
@pytest.mark.parametrize("name", PRINTS)
def test_on_a_terminal_only_our_own_styles_are_escapes(
    name: str, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console.configure(options)

    def on_a_terminal(text: str) -> str:
        terminals = {"out": Stream(is_terminal=True), "err": Stream(is_terminal=True)}
        return printed(PRINTS[name], text, monkeypatch, **terminals)

    ours = re.compile(r"\x1b\[[0-9;]*m")
    said = on_a_terminal(HOSTILE)
    assert ours.findall(said) == ours.findall(on_a_terminal(HARMLESS))
    assert steering(ours.sub("", said)) == set()


@pytest.mark.parametrize("name", PRINTS)
def test_a_dumb_terminal_is_a_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    console.configure(["--verbose"])
    streams = {"out": Stream(is_terminal=True), "err": Stream(is_terminal=True)}
    assert steering(printed(PRINTS[name], HOSTILE, monkeypatch, **streams)) == set()


@pytest.mark.parametrize("name", sorted(PRINTS.keys() - {"out"}))
def test_in_a_pipe_rows_words_and_json_hold_nothing_either(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    console.configure(["--verbose"])
    assert steering(printed(PRINTS[name], HOSTILE, monkeypatch)) == set()


def test_in_a_pipe_data_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    console.configure([])
    assert printed(console.out, HOSTILE, monkeypatch) == HOSTILE.replace("\udce9", "\ufffd") + "\n"


def test_pieces_of_an_answer_keep_lines_and_tabs(monkeypatch: pytest.MonkeyPatch) -> None:
    console.configure([])

    def answer(text: str) -> None:
        for piece in text:
            console.out(piece, end="")

    assert printed(answer, "a\tb\n\x1b[2J", monkeypatch, out=Stream(is_terminal=True)) == "a\tb\n\\x1b[2J"


@pytest.mark.parametrize("options", [[], ["-q"]], ids=["table", "names"])
def test_a_row_in_a_pipe_is_one_line_whatever_is_in_it(options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    console.configure(options)
    said = printed(listed, "a\nb\tc\u2028d\x0be", monkeypatch)
    assert said == ("a b c d e\n" if options else "a b c d e\ta b c d e, a b c d e\n")


def test_an_entry_of_a_log_cannot_pass_for_another() -> None:
    entry = {
        "level": "info",
        "message": "a\n12:00:00 ERROR b\x1b[2J",
        "path\r": "x\u2028y",
        "exception": "Traceback\n\n\x1b[1m12:00:00 ERROR c\x9b",
    }
    assert server_log.describe(entry) == (
        "info    a\\n12:00:00 ERROR b\\x1b[2J path\\r=x\\u2028y\n  Traceback\n  \\x1b[1m12:00:00 ERROR c\\x9b"
    )


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"time": "0001-01-01T00:00:00+14:00", "message": "x"}', b"\xff"])
def test_any_line_can_be_in_a_log(line: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("log") / "log"
    log.write_bytes(line + b"\n")
    (entry,) = server_log.follow(log, server_log.Wanted())
    assert server_log.describe(entry)


@pytest.mark.parametrize("name", ["out", "row", "document", "event", "listing"])
def test_data_that_cannot_be_written_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    console.configure([])
    for refusal, why in ((28, "refused"), (9, "it is closed")):
        with pytest.raises(OutputLost, match=f"cannot write to standard output: {why}"):
            printed(PRINTS[name], "x", monkeypatch, out=Stream(refuses=refusal))
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(OutputLost, match="it is closed"):
        PRINTS[name]("x")
    with pytest.raises(BrokenPipeError):  # its reader has had enough, which is no failure
        printed(PRINTS[name], "x", monkeypatch, out=Stream(refuses=32))


@pytest.mark.parametrize("name", ["say", "tell", "dimly", "detail", "warn", "hint", "failure"])
def test_words_that_nobody_can_read_stop_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    console.configure(["--verbose"])
    for refusal in (28, 9, 32):
        printed(PRINTS[name], "x", monkeypatch, err=Stream(refuses=refusal))
    monkeypatch.setattr("sys.stderr", None)
    PRINTS[name]("x")


def test_a_failure_is_put_in_words_where_its_document_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    console.configure(["--json"])
    assert (
        printed(PRINTS["failure"], "x", monkeypatch)
        == json.dumps({"error": {"code": 1, "message": "x", "hint": "x"}}) + "\n"
    )
    said = printed(PRINTS["failure"], "x", monkeypatch, out=Stream(refuses=28))
    assert said == "error: x\n\nhint: x\n"
