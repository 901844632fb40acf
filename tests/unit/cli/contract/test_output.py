"""What commands print, of every command: data on standard output, JSON that its schema describes, rows in a pipe."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from llama_cli.terminal import console
from tests.support.command_runner import Cli, Result
from tests.support.command_tree import COMMANDS, TOPICS, Node, calls_in, every_command, of_commands
from tests.support.schemas import SCHEMAS, conform
from tests.unit.cli.contract.calls import NOT_ROWS_ALONE, OUTPUTS, PROVEN_ELSEWHERE

ROOT = Path(__file__).parents[4]
CALLS = "tests/unit/cli/contract/calls.py"
BOXES = re.compile("[\u2500-\u257f]")
PICTURES = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
every_with_json = of_commands(lambda node: "--json" in node.options)
every_list = of_commands(lambda node: bool(calls_in(node.module, "listing")) and node.path not in NOT_ROWS_ALONE)
every_schema = pytest.mark.parametrize("file", sorted(SCHEMAS.glob("*.json")), ids=lambda file: file.stem)
MEASURES = {"uptime", "duration", "elapsed", "age", "latency", "memory", "size", "wait", "timeout", "bytes", "seconds"}


def shown(node: Node, world: Cli, *options: str) -> Result:
    """What a command prints where it has something to show; skipped where that takes a server that answers."""
    if node.path in PROVEN_ELSEWHERE:
        pytest.skip(f"held by {PROVEN_ELSEWHERE[node.path]}")
    if node.path not in OUTPUTS:
        pytest.skip(f"not entered in {CALLS}")
    return world(*node.words, *OUTPUTS[node.path], *options)


def parsed(node: Node, out: str) -> list[Any]:
    """The documents that a command prints with `--json`: one, or one a line."""
    try:
        return [json.loads(out)]
    except ValueError:
        assert calls_in(node.module, "event"), "more than one JSON document"
        return [json.loads(line) for line in out.splitlines()]


@every_with_json
def test_json_is_what_the_schema_says(node: Node, world: Cli) -> None:
    assert node.path in OUTPUTS.keys() | PROVEN_ELSEWHERE.keys(), (
        f"`{node.path}` shows something: enter in {CALLS} how it is called for a real output"
    )
    result = shown(node, world, "--json")
    assert result.code in (0, 7), result.err
    for document in parsed(node, result.out):
        conform(document, node.schema)


@pytest.mark.parametrize(("path", "test"), PROVEN_ELSEWHERE.items())
def test_what_is_proven_elsewhere_is(path: str, test: str) -> None:
    file, name = test.split("::")
    source = (ROOT / file).read_text()
    tests = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    functions = {node.name: node for node in tests}
    assert name in functions, f"{CALLS} says that {test} proves `{path}`, and there is no such test"
    schema = "-".join(path.split()[1:])
    assert f'"{schema}' in (ast.get_source_segment(source, functions[name]) or ""), (
        f"{test} mentions no {schema} schema"
    )


@every_command
def test_whatever_shows_something_does_so_as_json(node: Node) -> None:
    """Data is written by `console` alone; what only writes files, or what is a program's own format, is no data."""
    prints = [name for name in ("document", "event", "listing", "row") if calls_in(node.module, name)]
    assert not prints or "--json" in node.options, f"`{node.path}` has no `--json`"


@every_command
def test_json_has_a_schema(node: Node) -> None:
    if "--json" in node.options:
        assert (SCHEMAS / f"{node.schema}.json").is_file(), f"describe it in llama_cli/schemas/{node.schema}.json"


def test_every_schema_belongs_to_a_command() -> None:
    assert {file.stem for file in SCHEMAS.glob("*.json")} - TOPICS <= {node.schema for node in COMMANDS}


def properties(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        yield from (schema.get("properties") or {}).items()
        for value in schema.values():
            yield from properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from properties(value)


@every_schema
def test_a_schema_is_one_and_says_what_it_describes(file: Path) -> None:
    schema = json.loads(file.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]


@every_schema
def test_keys_are_snake_case(file: Path) -> None:
    wrong = [name for name, _ in properties(json.loads(file.read_text())) if not re.fullmatch(r"[a-z][a-z0-9_]*", name)]
    assert not wrong


@every_schema
def test_seconds_bytes_and_times_are_what_their_names_say(file: Path) -> None:
    for name, stated in properties(json.loads(file.read_text())):
        kinds = stated.get("type", [])
        kinds = {kinds} if isinstance(kinds, str) else set(kinds)
        if name.endswith(("_s", "_ms", "_bytes")):
            assert not kinds - {"number", "integer", "null"}, f"{name} is a number"
        if name.endswith("_at") and "string" in kinds:
            assert stated.get("format") == "date-time", f"{name} is ISO 8601 in UTC: say `format: date-time`"
        if MEASURES & set(name.split("_")) and kinds & {"number", "integer"}:
            assert name.endswith(("_s", "_ms", "_bytes", "_per_s", "_percent")), f"say the unit in the name of {name}"


@every_with_json
def test_nothing_else_is_on_standard_output_with_json(node: Node, world: Cli) -> None:
    result = world(*node.words, "--no-such-thing", "--json")
    conform(result.json(), "error")
    assert (result.code, result.err, result.json()["error"]["code"]) == (2, "", 2)


@every_with_json
def test_the_same_is_printed_twice(node: Node, world: Cli) -> None:
    """Nor does the order change: by name, or as it was stated."""
    first, second = shown(node, world), shown(node, world)
    assert re.sub(r"\d+(\.\d+)?", "N", first.out) == re.sub(r"\d+(\.\d+)?", "N", second.out)


@every_with_json
def test_a_pipe_gets_no_colour_no_boxes_and_no_pictures(node: Node, world: Cli) -> None:
    result = shown(node, world)
    for text in (result.out, result.err):
        assert "\x1b" not in text and "\r" not in text
        assert not BOXES.search(text) and not PICTURES.search(text)


@every_list
def test_a_list_in_a_pipe_is_a_row_a_line(node: Node, world: Cli) -> None:
    document = json.loads(shown(node, world, "--json").out)
    rows = document if isinstance(document, list) else next(rows for rows in document.values() if type(rows) is list)
    lines = shown(node, world).out.splitlines()
    assert len(lines) == len(rows) > 0, "an entry in calls.py shows at least one row"
    assert len({line.count("\t") for line in lines}) == 1


@every_list
def test_quiet_prints_names_only(node: Node, world: Cli) -> None:
    names = shown(node, world, "-q")
    rows = shown(node, world)
    assert names.err == ""
    assert len(names.out.splitlines()) == len(rows.out.splitlines())
    for name, row in zip(names.out.splitlines(), rows.out.splitlines(), strict=True):
        assert name and name in row.split("\t")


@every_command
def test_a_list_has_quiet_and_wide(node: Node) -> None:
    if calls_in(node.module, "listing") and node.path not in NOT_ROWS_ALONE:
        assert {"-q", "--wide"} <= node.options.keys(), f"`{node.path}` is a list: it takes `-q` and `--wide`"


def test_ps_shows_what_it_promises(world: Cli) -> None:
    [gone, starter] = world("stack", "ps", "--all", "--json").json()
    assert (gone["state"], gone["pid"]) == ("crashed", None)
    assert (starter["state"], starter["pid"], starter["version"]) == ("ready", 4712, "1.2.3")
    assert starter["url"] == "http://127.0.0.1:8321"
    assert (starter["memory_bytes"], 75 <= starter["uptime_s"] < 100) == (123_456_789, True)


def test_only_the_console_prints() -> None:
    """So that what one rule says holds for whatever is printed."""
    for file in (ROOT / "llama_cli").rglob("*.py"):
        source = file.read_text()
        if not any(name in source for name in ("print", "echo")):
            continue
        for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
            assert getattr(call.func, "id", None) != "print", f"{file}:{call.lineno}"
            assert getattr(call.func, "attr", None) not in ("echo", "secho", "print_exception"), f"{file}:{call.lineno}"


def test_messages_have_no_pictures() -> None:
    for file in (ROOT / "llama_cli").rglob("*.py"):
        assert not PICTURES.search(file.read_text()), file


def test_a_label_says_in_words_what_its_colour_says(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure(["--color", "always"])
    console.say("it answers", label="ready")
    console.warn("it is slow")
    console.configure([])
    assert re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err) == "ready: it answers\nwarning: it is slow\n"
