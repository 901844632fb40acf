"""Reports of a run: what a colleague, a pipeline and a reader of a terminal are shown of it."""

from __future__ import annotations

import builtins
import importlib.util
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from llama_cli.main import run
from tests.support.evaluation_server import Evaluations, row

if TYPE_CHECKING:
    from tests.support.command_runner import Cli

HOSTILE = "a | b\n\x1b[31m<b>*bold*</b> `code` & [link](http://x.example)"
ROWS = [
    row(0, 1.0, id="right", category="easy"),
    row(1, 0.0, id="wrong", category="hard", answer=HOSTILE),
    row(2, id="failed", category="hard", answer=None, error="the model is overloaded"),
    row(3, None, id="unscored", category="hard", answer="?", error="the judge said `dunno`"),
]


def report(cli: Cli, option: str, *options: str, code: int = 9) -> str:
    """The report that an option writes."""
    file = cli.home.parent / "report"
    ended = cli("stack", "eval", "show", "last", option, str(file), *options)
    assert ended.code == code, ended.err
    return file.read_text()


def tables_of(markdown: str) -> list[list[list[str]]]:
    """The cells of each table, as a reader of Markdown sees them, headings first."""
    tables: list[list[list[str]]] = []
    parsed = MarkdownIt("commonmark").enable("table").parse(markdown)
    for place, token in enumerate(parsed):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("th_open", "td_open"):
            inline = parsed[place + 1].children or []
            tables[-1][-1].append("".join(child.content for child in inline if child.type in ("text", "code_inline")))
            assert not {"html_inline", "link_open", "em_open"} & {child.type for child in inline}
    return tables


def test_markdown_is_what_one_shows_to_a_colleague(cli: Cli, server: Evaluations) -> None:
    server.run(*[row(index, 1.0, id=name) for index, name in enumerate(("right", "wrong"))], version="sha256:other")
    before = server.run(
        row(0, 1.0, id="right", category="easy"), row(1, 1.0, id="wrong", category="hard"), model="older"
    )
    server.run(*ROWS, model="vendor/new")
    text = report(cli, "--markdown", "--baseline", before, "--threshold", "equality=0.9")
    assert text.startswith("# capitals: vendor/new\n")
    assert "- **failed**: `basic::equality` is 0.500, below 0.900 (`wrong`)" in text
    assert f"## Beside `{before}` (older)" in text
    scores, beside, lower, worst, without = tables_of(text)
    assert [cells[1:3] for cells in scores] == [
        ["category", "score"],
        ["all", "0.500"],
        ["easy", "1.000"],
        ["hard", "0.000"],
    ]
    assert beside[1][1:4] == ["1.000", "0.500", "-0.500"]
    shown = "a | b \\x1b[31m<b>*bold*</b> `code` & [link](http://x.example)"
    assert lower[1:] == [["wrong", "Question 1?", "Paris", shown]]
    assert worst[1:] == [["wrong", "0.000", "Question 1?", "Paris", shown]]
    assert [(cells[0], cells[-1]) for cells in without[1:]] == [
        ("failed", "the model is overloaded"),
        ("unscored", "the judge said `dunno`"),
    ]


def test_without_categories_there_is_no_column_of_them(cli: Cli, server: Evaluations) -> None:
    server.run(row(0, topic="a"), row(1, topic="b"))
    [scores] = tables_of(report(cli, "--markdown", code=0))
    assert scores[0] == ["function", "score", "95 % interval", "cases", "errors"]
    [scores] = tables_of(report(cli, "--markdown", "--by", "topic", code=0))
    assert [cells[1] for cells in scores] == ["category", "all", "a", "b"]


def test_junit_has_a_suite_for_the_gates_and_one_a_function(cli: Cli, server: Evaluations) -> None:
    server.run(*ROWS)
    root = ElementTree.fromstring(report(cli, "--junit", "--threshold", "equality=0.9"))
    assert root.attrib == {"name": "capitals", "tests": "6", "failures": "3", "errors": "2"}
    gates, function = root
    assert [(case.get("name"), [child.tag for child in case]) for case in gates] == [
        ("scores", ["failure"]),
        ("threshold basic::equality", ["failure"]),
    ]
    assert {case.get("name"): [child.tag for child in case] for case in function} == {
        "right": ["system-out"],
        "wrong": ["failure", "system-out"],
        "failed": ["error"],
        "unscored": ["error"],
    }
    wrong = function.find("testcase[@name='wrong']/failure")
    assert wrong is not None and wrong.text is not None
    assert wrong.get("message") == "score 0.000; `basic::equality` is 0.500, below 0.900"
    assert "\x1b" not in wrong.text and "<b>*bold*</b>" in wrong.text


def test_junit_has_the_same_categories_as_the_figures(cli: Cli, server: Evaluations) -> None:
    server.run(row(0, topic="a", category="x"), row(1, topic="b", category="x"))
    root = ElementTree.fromstring(report(cli, "--junit", "--by", "topic", code=0))
    assert [case.get("classname") for case in root[1]] == ["capitals.a", "capitals.b"]


def test_a_run_that_passes_has_no_failures(cli: Cli, server: Evaluations) -> None:
    server.run(row(0, 1.0), row(1, 0.0))
    root = ElementTree.fromstring(report(cli, "--junit", "--threshold", "equality=0.5", code=0))
    assert (root.get("failures"), root.get("errors")) == ("0", "0")


def test_several_reports_at_once_and_json_beside_them(cli: Cli, server: Evaluations, tmp_path: Path) -> None:
    server.run(*ROWS)
    markdown, junit = tmp_path / "report.md", tmp_path / "junit.xml"
    ended = cli("stack", "eval", "show", "last", "--markdown", str(markdown), "--junit", str(junit), "--json")
    assert (ended.code, ended.json()["passed"]) == (9, False)
    assert markdown.read_text().startswith("# capitals") and ElementTree.parse(junit).getroot().tag == "testsuites"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_the_cases_that_matter(
    cli: Cli, server: Evaluations, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    before = server.run(row(0, 1.0, id="right"), row(1, 1.0, id="wrong"))
    server.run(*ROWS)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout", screen := Terminal())
    run(["stack", "eval", "show", "last", "--baseline", before])
    assert "\x1b[31m" not in screen.getvalue()
    text = re.sub("\x1b\\[[0-9;]*m", "", screen.getvalue())
    assert re.search(r"basic::equality *\n +all cases +0\.500 ", text) and re.search(r" +hard +0\.000 ", text)
    assert re.search(r"Worst cases.*wrong +0\.000 ", text, re.S)
    assert re.search(r"Without a score.*failed +the model is overloaded", text, re.S)
    assert re.search(r"Beside evaljob-1.*basic::equality +1\.000", text, re.S)
    assert "*bold*" in text
    assert max(map(len, text.splitlines())) <= columns


def test_worst_is_told_of_functions_with_different_scales(cli: Cli, server: Evaluations) -> None:
    def judged(index: int, equal: float, judge: float) -> Any:
        made = row(index, equal, id=f"case-{index}")
        made["scores"]["judge"] = {"score": judge}
        return made

    server.run(judged(0, 1.0, 2.0), judged(1, 0.0, 10.0), judged(2, 1.0, 10.0), judged(3, 0.0, 2.0))
    _, worst = tables_of(report(cli, "--markdown", "--worst", "1", code=0))
    assert [cells[:2] for cells in worst[1:]] == [["case-3", "0.000, 2.000"]]


def test_words_are_counted(cli: Cli, server: Evaluations) -> None:
    server.run(*(row(index, word) for index, word in enumerate(("A", "B", "A"))))
    ended = cli("stack", "eval", "show", "last")
    assert ended.out == "basic::equality\tall cases\tA: 2, B: 1\t\t3\t\n"
    missed = cli("stack", "eval", "show", "last", "--threshold", "equality=0.5")
    assert missed.code == 9 and "`basic::equality` gives no numbers, so 0.500 is not reached" in missed.err


def test_words_are_not_drawn_and_the_other_reports_are_there(
    cli: Cli, server: Evaluations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.run(*(row(index, word) for index, word in enumerate(("A", "B", "A"))))
    monkeypatch.setattr("llama_cli.evaluating.plot.needed", lambda: None)
    files = {name: tmp_path / name for name in ("plot", "markdown", "junit")}
    options = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    ended = cli("stack", "eval", "show", "last", *options, "--threshold", "equality=0.5")
    assert ended.code == 9 and "`--plot`: no function gives numbers, so that nothing is drawn" in ended.err
    assert "A: 2, B: 1" in ended.out and "![" not in files["markdown"].read_text()
    assert files["junit"].exists() and not files["plot"].exists()


def test_without_matplotlib_it_is_said_how_to_get_it(
    cli: Cli, server: Evaluations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.run(*ROWS)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "llama_cli.evaluating.plot.find_spec", lambda name: None if name == "matplotlib" else real(name)
    )
    ended = cli("stack", "eval", "show", "last", "--plot", str(tmp_path / "plot.png"))
    assert ended.code == 1 and "llama-stack-toolchain[plot]" in ended.err and "Traceback" not in ended.err
    assert not (tmp_path / "plot.png").exists()


def test_nothing_that_draws_is_loaded_for_what_is_not_drawn(
    cli: Cli, server: Evaluations, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.run(*ROWS)
    real = builtins.__import__

    def imported(name: str, *rest: Any, **more: Any) -> Any:
        assert not name.startswith("matplotlib")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", imported)
    report(cli, "--markdown")
