"""Calls of functions in answers: every dialect, cut at every place; what is no call stays text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.engine.text.answer_parts import CallArguments, CallStart, Content, Part
from runtime.engine.text.tool_calls import CallReader
from runtime.engine.text.tool_dialects import HERMES, LLAMA_JSON, Dialect

TAGS = Dialect(trigger="<function=", between="</function>\n<function=", closing="</function>", layout="tag")
PYTHONIC = Dialect(opening="[", between=", ", closing="]", layout="pythonic")
MISTRAL = Dialect(trigger="[TOOL_CALLS]", opening=" [", between=", ", closing="]")
DIALECTS = [HERMES, LLAMA_JSON, TAGS, PYTHONIC, MISTRAL]
NAMES = {"weather", "get.time", "sum", "look-up"}

WEATHER = ("weather", '{"city": "Z\\u00fcrich {x} \\"y\\"", "days": [1, {"a": 2}]}')
SUM = ("sum", "{}")
UP = ("look-up", '{"from": 1, "a": "look-up(from=2)"}')
HALF = ("sum", '{"a": "\\ud800"}')


def read(dialect: Dialect, pieces: Iterable[str]) -> list[Part]:
    reader = CallReader(dialect, NAMES)
    parts = [part for piece in pieces for part in reader.push(piece)]
    return parts + reader.finish()


def gathered(parts: list[Part]) -> tuple[str, list[tuple[str, str]]]:
    """The text, and the calls with their arguments."""
    text, calls = "", list[list[str]]()
    for part in parts:
        match part:
            case Content(piece):
                text += piece
            case CallStart(index, name):
                assert index == len(calls)
                calls.append([name, ""])
            case CallArguments(index, piece):
                assert index == len(calls) - 1, "arguments of a call that is over"
                calls[index][1] += piece
    return text, [(name, arguments) for name, arguments in calls]


FOUND: list[tuple[str, Dialect, str, str, list[tuple[str, str]]]] = [
    ("hermes", HERMES, HERMES.written([WEATHER]), "", [WEATHER]),
    ("hermes-two", HERMES, "Let me see.\n" + HERMES.written([WEATHER, SUM]), "Let me see.", [WEATHER, SUM]),
    ("hermes-tight", HERMES, '<tool_call>{"name":"sum","arguments":{"a":1}}</tool_call>', "", [("sum", '{"a":1}')]),
    ("hermes-unclosed", HERMES, '<tool_call>\n{"name": "sum", "arguments": {}}', "", [SUM]),
    ("hermes-reordered", HERMES, '<tool_call>{"arguments": {"a": 1}, "name": "sum"}', "", [("sum", '{"a": 1}')]),
    ("hermes-then-text", HERMES, HERMES.written([SUM]) + "\nDone.", "Done.", [SUM]),
    ("hermes-cut", HERMES, '<tool_call>\n{"name": "sum", "arguments": {"a": "b', "", [("sum", '{"a": "b')]),
    ("mistral", MISTRAL, MISTRAL.written([WEATHER, SUM]), "", [WEATHER, SUM]),
    ("mistral-id", MISTRAL, '[TOOL_CALLS][{"name": "sum", "arguments": {}, "id": "a}b"}]', "", [SUM]),
    ("llama", LLAMA_JSON, LLAMA_JSON.written([WEATHER]), "", [WEATHER]),
    ("llama-two", LLAMA_JSON, LLAMA_JSON.written([WEATHER, SUM]), "", [WEATHER, SUM]),
    ("llama-tag", LLAMA_JSON, "<|python_tag|>" + LLAMA_JSON.written([WEATHER]), "", [WEATHER]),
    ("llama-type", LLAMA_JSON, '{"type": "function", "name": "sum", "parameters": {}}', "", [SUM]),
    ("function-tag", TAGS, TAGS.written([WEATHER, SUM]), "", [WEATHER, SUM]),
    ("function-tag-text", TAGS, "So: <function=sum>{}</function>", "So:", [SUM]),
    (
        "pythonic",
        PYTHONIC,
        '[weather(city="Zürich", days=[1, -2.5], x=None, y={"a": true}), sum()]',
        "",
        [("weather", '{"city": "Zürich", "days": [1, -2.5], "x": null, "y": {"a": true}}'), SUM],
    ),
    ("pythonic-names", PYTHONIC, "[look-up(from=1, a='look-up(from=2)')]", "", [UP]),
    ("pythonic-prefix", PYTHONIC, "[sum(q=1, qq='q0()', q0=2)]", "", [("sum", '{"q": 1, "qq": "q0()", "q0": 2}')]),
    ("pythonic-surrogate", PYTHONIC, '[sum(a="\\ud800")]', "", [HALF]),
    ("llama-surrogate", LLAMA_JSON, '{"id": 1, "name": "sum", "parameters": {"a": "\\ud800"}}', "", [HALF]),
    ("pythonic-dotted", PYTHONIC, " [get.time(zone='UTC')]", "", [("get.time", '{"zone": "UTC"}')]),
]

TEXTS: list[tuple[str, Dialect, str]] = [
    ("hermes", HERMES, "No call here.\n\n  "),
    ("hermes-other-name", HERMES, '<tool_call>\n{"name": "rm", "arguments": {}}\n</tool_call>'),
    ("hermes-no-json", HERMES, "a <tool_call>\nsum()\n</tool_call> b"),
    ("hermes-begun", HERMES, "a <tool_"),
    ("hermes-nothing", HERMES, "a <tool_call>\n"),
    ("hermes-no-object", HERMES, '<tool_call>{"name": "sum", "arguments": 3}</tool_call>'),
    ("llama", LLAMA_JSON, '{"answer": {"name": "sum"}}'),
    ("llama-later", LLAMA_JSON, 'So: {"name": "sum", "parameters": {}}'),
    ("llama-cut", LLAMA_JSON, '{"name": "sum", "para'),
    ("llama-unclosed", LLAMA_JSON, '{"answer": "{'),
    ("tags", TAGS, "<function=rm>{}</function>"),
    ("tags-cut", TAGS, "x <function=su"),
    ("tags-no-json", TAGS, "<function=sum>a</function>"),
    ("pythonic", PYTHONIC, "[1, 2]"),
    ("pythonic-code", PYTHONIC, "[sum(a=open('x'))]"),
    ("pythonic-positional", PYTHONIC, "[sum(1)]"),
    ("pythonic-spread", PYTHONIC, "[sum(**{'a': 1})]"),
    ("pythonic-other", PYTHONIC, "[sum(a=1), rm(b=2)]"),
    ("pythonic-cut", PYTHONIC, "[sum(a=1"),
    ("pythonic-spread-inside", PYTHONIC, "[sum(a={'b': 1, **{'c': 2}})]"),
    ("pythonic-renamed", PYTHONIC, "[q0(a=1), function_9()]"),
    ("pythonic-nested", PYTHONIC, "[sum(a=" + "(" * 3000),
    *(
        (f"pythonic-{value}", PYTHONIC, f"[sum(a={value})]")
        for value in ("{1}", "{[1]: 2}", "1j", "b'x'", "...", "1e999")
    ),
    ("llama-no-number", LLAMA_JSON, '{"id": 1, "name": "sum", "parameters": {"a": NaN}}'),
    ("llama-no-name", LLAMA_JSON, '{"id": 1, "name": [], "parameters": {}}'),
    ("pythonic-text", PYTHONIC, "Hello [sum()]"),
]


@pytest.mark.parametrize(
    ("dialect", "answer", "text", "calls"), [case[1:] for case in FOUND], ids=[c[0] for c in FOUND]
)
def test_calls_are_found_wherever_the_answer_is_cut(
    dialect: Dialect, answer: str, text: str, calls: list[tuple[str, str]]
) -> None:
    assert gathered(read(dialect, [answer])) == (text, calls)
    assert gathered(read(dialect, answer)) == (text, calls)
    for at in range(1, len(answer)):
        assert gathered(read(dialect, [answer[:at], answer[at:]])) == (text, calls), answer[:at]


@pytest.mark.parametrize(("dialect", "answer"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_what_is_no_call_stays_text(dialect: Dialect, answer: str) -> None:
    assert gathered(read(dialect, [answer])) == (answer, [])
    if len(answer) < 1000:
        for at in range(1, len(answer)):
            assert gathered(read(dialect, [answer[:at], answer[at:]])) == (answer, []), answer[:at]


def test_text_and_arguments_are_shown_as_they_arrive() -> None:
    reader = CallReader(HERMES, NAMES)
    assert reader.push("Hello <") == [Content("Hello")]
    assert reader.push("b> ") == [Content(" <b>")]
    assert reader.push('<tool_call>{"name": "sum", "arguments": ') == []
    assert reader.push('{"a"') == [CallStart(0, "sum"), CallArguments(0, '{"a"')]
    assert reader.push(': "}') == [CallArguments(0, ': "}')]
    assert reader.push('"}}') == [CallArguments(0, '"}')]
    assert reader.finish() == []


def test_an_answer_in_json_that_can_be_no_call_is_shown_as_it_arrives() -> None:
    reader = CallReader(LLAMA_JSON, NAMES)
    assert reader.push('{"n') == []
    assert reader.push('umber": ') == [Content('{"number": ')]
    assert reader.push("3}") == [Content("3}")]


def test_arguments_of_whole_calls_are_json() -> None:
    values: list[Any] = [json.loads(arguments) for _, arguments in gathered(read(HERMES, HERMES.written([WEATHER])))[1]]
    assert values == [{"city": 'Zürich {x} "y"', "days": [1, {"a": 2}]}]


PIECES = [
    *("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<function=sum>", "</function>", "<|python_tag|>"),
    *('{"name": "sum", "arguments": ', '{"name": "sum", "parameters": ', '{"a": "}"}', '"name"', "sum", "(a=1)"),
    *("{", "}", "[", "]", '"', "\\", ":", ",", "; ", "\n", " ", "text", "é", "<", "{}"),
]


@given(data=st.data(), words=st.lists(st.sampled_from(PIECES), max_size=12), dialect=st.sampled_from(DIALECTS))
@settings(max_examples=400, deadline=None)
def test_whatever_is_written_reads_the_same_however_it_is_cut(data: Any, words: list[str], dialect: Dialect) -> None:
    answer = "".join(words)
    whole = gathered(read(dialect, [answer]))
    at = data.draw(st.integers(0, len(answer)))
    assert gathered(read(dialect, [answer[:at], answer[at:]])) == whole
    assert gathered(read(dialect, answer)) == whole
