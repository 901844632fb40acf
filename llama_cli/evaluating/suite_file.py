"""Reads a suite: YAML, or JSON lines with a case each. Says everything that is wrong with it at once, with lines.

In JSON lines a line `{"suite": {...}}` states all but the cases, which otherwise the command's options do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llama_cli.evaluating.suite import RESERVED, Suite, as_name
from runtime.config import document
from runtime.config.document import Node, child_path
from runtime.config.text import as_meant, is_stdin, read_text, shown
from runtime.config.validation import check
from runtime.errors import ConfigInvalid, Problem

_OURS = {"question": "input", "answer": "expected"}
"""What datasets call the keys of a case."""
_OF_AGENTS = {"model": "model", "instructions": "system", "sampling_params": "sampling"}
"""Keys of an agent that a suite says itself."""
_LINES = (".jsonl", ".ndjson")
SUFFIXES = (".yaml", ".yml", ".json", *_LINES)
"""What a file is called that has a suite."""


def read_suite(file: str) -> Suite:
    """The suite in a file; `-` is standard input. Without a name it has the file's.

    Raises NotFound, AccessDenied; ConfigInvalid with every problem.
    """
    text = read_text(as_meant(file), what="suite")
    name = shown(file)
    root, problems = _of_lines(text, name) if _is_lines(file, text) else document.parse(text, file=name)
    if root is not None and root.mapping is None:
        problems.append(Problem(message="a suite is a mapping with `cases`, `model`, ...", file=name, line=root.line))
    if root is None or root.mapping is None:
        raise ConfigInvalid(problems, what="suite")
    if "name" not in root.mapping:
        root.mapping["name"] = Node(as_name("suite" if is_stdin(file) else Path(file).stem), "name", 1)
    _name_functions(root.mapping)
    for case in _cases(root):
        problems += _case_problems(case, name)
    problems += _repeated(root, name)
    problems += _said_twice(root, name)
    found: list[Problem] = []
    suite = check(Suite, root, problems=found, file=name)
    reported = {problem.path for problem in problems}
    problems += [problem for problem in found if problem.path not in reported]
    problems += _without_function(root, name)
    if suite is None or problems:
        raise ConfigInvalid(sorted(problems, key=lambda problem: problem.line or 0), what="suite")
    return suite


def _is_lines(file: str, text: str) -> bool:
    if Path(file).suffix.lower() in _LINES:
        return True
    first = next((line for line in text.splitlines() if line.strip()), "")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and not {"cases", "scoring_functions"} & value.keys()


def _of_lines(text: str, file: str) -> tuple[Node, list[Problem]]:
    cases: list[Node] = []
    top: dict[str, Node] = {}
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
            problems.append(Problem(message=f"not valid JSON: {why}", file=file, line=number))
            continue
        if isinstance(value, dict) and value.keys() == {"suite"} and isinstance(value["suite"], dict):
            top = {key: _node(each, key, number) for key, each in value["suite"].items()}
        else:
            cases.append(_node(value, child_path("cases", len(cases)), number))
    return Node({**top, "cases": Node(cases, "cases", 1)}, "", 1), problems


def _node(value: Any, path: str, line: int) -> Node:
    if isinstance(value, dict):
        return Node({key: _node(each, child_path(path, key), line) for key, each in value.items()}, path, line)
    if isinstance(value, list):
        return Node([_node(each, child_path(path, at), line) for at, each in enumerate(value)], path, line)
    text = None if value is None or isinstance(value, str) else json.dumps(value)
    return Node(value, path, line, text)


def _name_functions(top: dict[str, Node]) -> None:
    """A list of functions becomes the mapping that it stands for: each with its params, or without."""
    stated = top.get("scoring_functions")
    if stated is None or stated.items is None:
        return
    named: dict[str, Node] = {}
    for item in stated.items:
        if item.mapping is not None:
            named |= item.mapping
        else:
            named[str(item.value)] = Node(None, item.path, item.line)
    top["scoring_functions"] = Node(dict(named), stated.path, stated.line)


def _cases(root: Node) -> Iterator[Node]:
    cases = root.get("cases")
    yield from (case for case in (cases.items if cases else None) or () if case.mapping is not None)


def _case_problems(case: Node, file: str) -> Iterator[Problem]:
    """What is wrong with the keys of a case; they are ours afterwards, and what is expected is text as written."""
    keys = case.mapping or {}
    for theirs, ours in _OURS.items():
        if (node := keys.pop(theirs, None)) is not None and keys.setdefault(ours, node) is not node:
            yield Problem(message=f"is the same as `{ours}`", path=node.path, file=file, line=node.line)
    for name in RESERVED:
        if name in keys:
            yield Problem(
                message="is a column that an evaluation makes",
                path=keys[name].path,
                file=file,
                line=keys[name].line,
                hint="give it another name",
            )
    asked = [name for name in ("input", "messages") if name in keys and keys[name].value is not None]
    if len(asked) != 1:
        message = "has `input` and `messages`, and is one question" if asked else "asks nothing"
        hint = "write `input: TEXT`, or `messages` for a conversation"
        yield Problem(message=message, path=case.path, file=file, line=case.line, hint=hint)
    if (expected := keys.get("expected")) is not None and isinstance(expected.value, bool | int | float):
        expected.value = expected.text


def _repeated(root: Node, file: str) -> Iterator[Problem]:
    first: dict[str, int | None] = {}
    for case in _cases(root):
        named = case.get("id")
        if named is None or named.value is None:
            continue
        key = str(named.value)
        if key in first:
            message = f"`{key}` is the id of another case, in line {first[key]}"
            yield Problem(message=message, path=named.path, file=file, line=named.line)
        else:
            first[key] = named.line


def _said_twice(root: Node, file: str) -> Iterator[Problem]:
    agent = root.get("agent")
    for key, ours in _OF_AGENTS.items():
        if root.get(ours) is not None and (node := agent.get(key) if agent and agent.mapping else None) is not None:
            hint = "leave one of them out"
            yield Problem(message=f"is said by `{ours}` too", path=node.path, file=file, line=node.line, hint=hint)
    cases = root.get("cases")
    if root.get("benchmark") is not None and cases is not None and cases.items:
        message = "a suite of a `benchmark` has that one's cases"
        yield Problem(message=message, path="cases", file=file, line=cases.line, hint="leave one of them out")


def _without_function(root: Node, file: str) -> Iterator[Problem]:
    """Thresholds of functions that score nothing here."""
    if root.get("benchmark") is not None:  # whose functions the server knows
        return
    functions = root.get("scoring_functions")
    thresholds = root.get("thresholds")
    known = list(functions.mapping or ()) if functions is not None else []
    for name, node in ((thresholds.mapping if thresholds else None) or {}).items():
        if name not in known:
            listed = ", ".join(f"`{each}`" for each in known) or "none is named"
            message = f"`{name}` is none of its `scoring_functions`: {listed}"
            yield Problem(message=message, path=node.path, file=file, line=node.line)
