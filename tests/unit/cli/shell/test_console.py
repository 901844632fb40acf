"""What is printed where, in which shape, and with which exit code."""

from __future__ import annotations

import io

import pytest

from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console, words
from llama_cli.terminal.tables import Column, listing
from runtime import errors
from runtime.errors import ConfigInvalid, Problem, StackError

ROWS = [
    {"name": "one", "parts": ["a", "b"], "size": 1_500_000, "note": "two\nlines\tand a tab"},
    {"name": "two", "parts": [], "size": None, "note": "x" * 100},
]
COLUMNS = [
    Column("name", "Name"),
    Column("parts", "Parts"),
    Column("size", "Size", show=words.size),
    Column("note", "Note", gives_way=True),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    console.configure([])


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    console.configure(arguments)
    listing(ROWS, COLUMNS, name="name")
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_a_list_in_a_pipe_is_one_row_a_line_and_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys) == f"one\ta, b\t1.5 MB\ttwo lines and a tab\ntwo\t\t\t{'x' * 100}\n"


def test_quiet_prints_names_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "-q") == "one\ntwo\n"


def test_json_prints_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "--json").startswith('[\n  {\n    "name": "one",\n    "parts": [\n      "a",')


def test_an_empty_list_says_so_beside_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    listing([], COLUMNS, name="name", empty="none here")
    assert capsys.readouterr() == ("", "none here\n")


def test_a_list_on_a_terminal_has_a_header_and_words_on_as_many_lines_as_they_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    listing(ROWS, COLUMNS, name="name")
    text = screen.getvalue()
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines == [
        "",
        " Name  Parts  Size    Note",
        " " + "─" * 58,
        " one   a, b   1.5 MB  two lines and a tab",
        " two                  " + "x" * 37,
        " " * 22 + "x" * 37,
        " " * 22 + "x" * 26,
        "",
    ]


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int, rows: list[dict[str, object]]) -> list[str]:
    """The lines of a table with an address, something spare and a reason."""
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    columns = [
        Column("name", "Name"),
        Column("url", "Address"),
        Column("version", "Version", spare=1),
        Column("reason", "Reason", gives_way=True),
    ]
    listing(rows, columns, name="name")
    return [line.strip() for line in screen.getvalue().splitlines() if line.strip()]


def test_on_a_narrow_terminal_spare_columns_go_reasons_are_narrower_and_addresses_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = {"name": "starter", "url": "http://127.0.0.1:8321", "version": "0.1.0", "reason": "the vendor is down: 503"}
    header, _, *cells = on_a_terminal(monkeypatch, 63, [row])
    assert header.split() == ["Name", "Address", "Version", "Reason"]
    assert cells == ["starter  http://127.0.0.1:8321  0.1.0    the vendor is down:", "503"]
    header, _, *cells = on_a_terminal(monkeypatch, 54, [row])
    assert header.split() == ["Name", "Address", "Reason"]
    assert cells == ["starter  http://127.0.0.1:8321  the vendor is down:", "503"]
    assert on_a_terminal(monkeypatch, 20, [row])[2:] == cells


def test_of_spare_columns_the_more_spare_goes_first_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", screen := Terminal())
    columns = [Column("id", "Id"), Column("by", "By", spare=2), Column("kind", "Kind", spare=1)]
    listing([{"id": "i" * 20, "by": "us", "kind": "llm"}], columns, name="id")
    assert screen.getvalue().split()[:2] == ["Id", "Kind"]


def test_what_is_left_over_of_a_spare_column_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "34")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", screen := Terminal())
    columns = [Column("id", "Id"), Column("packages", "Packages", gives_way=True, spare=1)]
    listing([{"id": "i" * 8, "packages": "p" * 90}], columns, name="id")
    assert [line.strip() for line in screen.getvalue().splitlines() if "i" in line] == ["i" * 8 + "  " + "p" * 21 + "…"]


def test_rows_stand_under_what_they_have_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    rows = [{"api": api, "name": name, "note": "x"} for api, name in (("files", "a"), ("files", "b"), ("safety", "c"))]
    listing(rows, [Column("api", "API", groups=True), Column("name", "Name"), Column("note", "Note")], name="name")
    lines = [line.rstrip() for line in screen.getvalue().splitlines() if line.strip()]
    assert lines[0] == " Name    Note"
    assert lines[2:] == [" files", "   a     x", "   b     x", " safety", "   c     x"]


@pytest.mark.parametrize(("width", "shown"), [(100, True), (60, False)])
def test_a_readable_width_matters_more_than_what_is_spare(
    monkeypatch: pytest.MonkeyPatch, width: int, shown: bool
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    columns = [
        Column("name", "Name"),
        Column("note", "Note", gives_way=True, readable=40),
        Column("more", "More", spare=1),
    ]
    listing([{"name": "a" * 10, "note": "x" * 90, "more": "y" * 10}], columns, name="name")
    assert ("y" * 10 in screen.getvalue()) is shown


def test_a_spare_column_that_does_not_fit_keeps_no_narrower_one_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout", screen := Terminal())
    columns = [Column("id", "Id"), Column("by", "By", spare=1), Column("aliases", "Aliases", spare=1)]
    listing([{"id": "i" * 20, "by": "b" * 30, "aliases": ["a"]}], columns, name="id")
    assert screen.getvalue().split()[:2] == ["Id", "Aliases"]


def test_an_empty_column_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    header, *_ = on_a_terminal(monkeypatch, 80, [{"name": "a", "url": "b"}, {"name": "c", "url": None, "reason": ""}])
    assert header.split() == ["Name", "Address"]


def test_wide_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "60")
    listing(ROWS, COLUMNS, name="name", wide=True)
    assert "x" * 100 in screen.getvalue()


def test_a_dumb_terminal_gets_plain_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TERM", "dumb")
    listing(ROWS, COLUMNS, name="name")
    assert screen.getvalue().startswith("one\ta, b\t")


@pytest.mark.parametrize(
    ("terminal", "variables", "arguments", "colored"),
    [
        (True, {}, [], True),
        (False, {}, [], False),
        (True, {"NO_COLOR": "1"}, [], False),
        (True, {"NO_COLOR": ""}, [], True),
        (False, {"FORCE_COLOR": "1"}, [], True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        (True, {"TERM": "dumb"}, [], False),
        (True, {}, ["--color", "never"], False),
        (True, {}, ["--color=never"], False),
        (False, {"NO_COLOR": "1"}, ["--color", "always"], True),
        (True, {}, ["--", "--color", "never"], True),
    ],
)
def test_color(
    terminal: bool, variables: dict[str, str], arguments: list[str], colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    console.configure(arguments)
    stream = Terminal() if terminal else io.StringIO()
    assert console.has_color(stream) is colored
    monkeypatch.setattr("sys.stderr", stream)
    console.say("x", label="ready")
    assert stream.getvalue() == ("\x1b[32;1mready\x1b[0m: x\n" if colored else "ready: x\n")


def test_options_after_two_dashes_are_not_ours() -> None:
    console.configure(["chat", "--", "--json", "-q", "--debug"])
    assert console.settings == console.Settings()


def test_quiet_silences_words_but_neither_data_nor_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure(["--quiet"])
    console.say("progress")
    console.hint("a hint")
    console.detail("a detail")
    console.warn("careful")
    console.out("data")
    assert capsys.readouterr() == ("data\n", "warning: careful\n")


def test_details_need_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    console.detail("unseen")
    console.configure(["--verbose"])
    console.detail("seen")
    assert capsys.readouterr() == ("", "seen\n")


def test_a_failure_has_its_hint_after_a_blank_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.failure(Failure("no `x` here", hint="make one", code=ExitCode.USAGE))
    assert capsys.readouterr() == ("", "error: no `x` here\n\nhint: make one\n")


def test_a_failure_with_json_is_one_line_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure(["--json"])
    console.failure(Failure("no `x` here", code=ExitCode.CONFLICT, facts={"id": "x"}))
    out, err = capsys.readouterr()
    assert err == ""
    # On one line, since it can stand at the end of a stream of objects.
    assert out == '{"error": {"code": 5, "message": "no `x` here", "hint": null, "id": "x"}}\n'


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("StackError", 1),
        ("RequestError", 1),
        ("AuthenticationError", 4),
        ("AccessDenied", 4),
        ("NotFound", 2),
        ("MethodNotAllowed", 1),
        ("Conflict", 5),
        ("TooLarge", 1),
        ("RateLimited", 6),
        ("NotSupported", 1),
        ("Unavailable", 7),
        ("UpstreamError", 6),
        ("UpstreamRejected", 6),
        ("UpstreamTimeout", 6),
    ],
)
def test_an_error_of_the_runtime_has_an_exit_code(kind: str, code: int) -> None:
    facts = {"provider_id": "p"} if kind.startswith("Upstream") else {}
    if kind == "UpstreamRejected":
        facts["upstream_status"] = 400  # type: ignore[assignment]
    error: StackError = getattr(errors, kind)("what", hint="do", **facts)
    failure = Failure.from_error(error)
    assert (failure.message, failure.hint, failure.code) == ("what", "do", code)


def test_a_wrong_configuration_names_every_problem() -> None:
    problems = [Problem(message="bad", path="a.b", file="run.yaml", line=3, hint="try c"), Problem(message="worse")]
    failure = Failure.from_error(ConfigInvalid(problems))
    assert failure.code == ExitCode.CONFIG
    assert failure.message == "the configuration has 2 problems\n  run.yaml:3: a.b: bad (try c)\n  worse"
    assert failure.facts["problems"] == [
        {"file": "run.yaml", "line": 3, "path": "a.b", "message": "bad", "hint": "try c"},
        {"file": None, "line": None, "path": "", "message": "worse", "hint": None},
    ]


def test_what_is_wrong_with_options_alone_is_usage() -> None:
    option = Problem(message="bad", path="--require", hint="try c")
    failure = Failure.from_error(ConfigInvalid([option], what="choice"))
    assert (failure.code, failure.message, failure.hint) == (ExitCode.USAGE, "`--require`: bad", "try c")
    both = Failure.from_error(ConfigInvalid([option, Problem(message="worse", path="a.b")]))
    assert both.code == ExitCode.CONFIG


def test_every_exit_code_has_a_meaning() -> None:
    assert [int(code) for code in ExitCode] == [*range(10), *range(124, 128), 130, 143]
    assert all(code.meaning for code in ExitCode)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.57, "570ms"), (59.9, "59s"), (75, "1m15s"), (3600, "1h"), (90_061, "1d1h"), (-3, "0s")],
)
def test_duration(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 bytes"), (1500, "1.5 kB"), (131_072, "131.1 kB"), (5e12, "5.0 TB")])
def test_size(count: float, text: str) -> None:
    assert words.size(count) == text


def test_a_title_stands_out_on_a_terminal_and_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    console.title("Worst\n cases")
    assert capsys.readouterr().out == "Worst cases\n"
    monkeypatch.setattr("sys.stdout", screen := Terminal())
    console.title("Worst \x1b[2Jcases")
    assert screen.getvalue() == "\x1b[1mWorst \\x1b[2Jcases\x1b[0m\n"
