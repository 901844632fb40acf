"""Answers held to calls, forms and reasoning, from random logits; and what a grammar lets a model say."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runtime.engine.requests.grammar import GrammarInvalid
from runtime.engine.text.answer_grammar import (
    AnswerForm,
    CallForm,
    Function,
    TextForm,
    answer_grammar,
    choice_form,
    lark_form,
    regex_form,
    schema_form,
)
from runtime.engine.text.answer_parts import CallArguments, CallStart, Content
from runtime.engine.text.json_schema import SchemaInvalid, enforceable
from runtime.engine.text.loading import load_tokenizer
from runtime.engine.text.special_tokens import SpecialTokens
from runtime.engine.text.tool_calls import CallReader
from runtime.engine.text.tool_dialects import HERMES, LLAMA_JSON, Dialect
from tests.models.test_tool_calls import MISTRAL, PYTHONIC, TAGS
from tests.support.draws import Draws, allowed_ids
from tests.support.tiny_model import write_tiny_chat_model

PARAMETERS: dict[str, dict[str, Any]] = {
    "weather": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 6},
            "days": {"type": "integer", "minimum": 1, "maximum": 9},
            "where": {"$ref": "#/$defs/place"},
        },
        "required": ["city"],
        "$defs": {"place": {"enum": ["in", "out"]}},
    },
    "stop": {"type": "object", "properties": {}},
}
DIALECTS = {"hermes": HERMES, "llama": LLAMA_JSON, "mistral": MISTRAL, "tags": TAGS, "pythonic": PYTHONIC}


def functions() -> list[Function]:
    return [Function(name, enforceable(schema, name).schema) for name, schema in PARAMETERS.items()]


@pytest.fixture(scope="module")
def draws(tmp_path_factory: pytest.TempPathFactory) -> Draws:
    folder: Path = write_tiny_chat_model(tmp_path_factory.mktemp("tiny"))
    return Draws(load_tokenizer(folder))


def grammar(draws: Draws, form: AnswerForm) -> str:
    source = answer_grammar(form, draws.tokenizer.special)
    assert source is not None
    return source


def calls_in(dialect: Dialect, answer: str) -> tuple[str, list[tuple[str, Any]]]:
    """The text and the calls of an answer."""
    reader = CallReader(dialect, PARAMETERS.keys())
    parts = reader.push(answer) + reader.finish()
    text = "".join(part.text for part in parts if isinstance(part, Content))
    found = []
    for start in (part for part in parts if isinstance(part, CallStart)):
        pieces = [part.text for part in parts if isinstance(part, CallArguments) and part.index == start.index]
        found.append((start.name, json.loads("".join(pieces))))
    return text, found


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("several", [True, False])
def test_required_calls_are_valid_in_every_dialect(draws: Draws, name: str, several: bool) -> None:
    dialect = DIALECTS[name]
    form = AnswerForm(calls=CallForm(dialect=dialect, functions=functions(), required=True, several=several))
    whole = 0
    for answer in draws.batch([grammar(draws, form)] * 100, limit=700):
        if answer is None:
            continue
        text, calls = calls_in(dialect, answer)
        assert text == "" and calls, answer
        assert several or len(calls) == 1
        for function, arguments in calls:
            jsonschema.validate(arguments, PARAMETERS[function])
        whole += 1
    assert whole >= 90, "hardly an answer came to its end"


@pytest.mark.parametrize("name", DIALECTS)
def test_a_free_answer_is_any_text_and_a_call_that_has_begun_is_held_to_its_schema(draws: Draws, name: str) -> None:
    dialect = DIALECTS[name]
    source = grammar(draws, AnswerForm(calls=CallForm(dialect=dialect, functions=functions())))
    if dialect.layout == "pythonic":
        good, bad = '[weather(city="Rome", days=3), stop()]', ["[weather(city=3)]", "[weather(days=3)]", "[weather(]"]
        assert draws.accepts(source, '[weather(city="R", where="in")]')
        assert draws.accepts(source, "[other(1)]") and draws.accepts(source, "[1, 2]")
    else:
        good = dialect.written([("weather", '{"city": "Rome", "days": 3}'), ("stop", "{}")])
        bad = [dialect.written([("weather", '{"city": 3}')]), dialect.written([("other", "{}")]), good[:-1]]
        bad[2:] = [] if dialect is LLAMA_JSON else bad[2:]
    assert draws.accepts(source, good)
    for answer in bad:
        assert not draws.accepts(source, answer), answer
    for text in ("", "Hello {", '{"a": 1}', "a <b", "Grüße 😀\n\n"):
        assert draws.accepts(source, text)
    if dialect.trigger:
        assert draws.accepts(source, "First some text.\n" + good)
        assert not draws.accepts(source, good + "\nand then text")


def test_only_one_call_where_several_are_not_wanted(draws: Draws) -> None:
    source = grammar(draws, AnswerForm(calls=CallForm(dialect=HERMES, functions=functions(), several=False)))
    assert draws.accepts(source, HERMES.written([("stop", "{}")]))
    assert not draws.accepts(source, HERMES.written([("stop", "{}"), ("stop", "{}")]))


def test_a_form_beside_calls_is_instead_of_free_text(draws: Draws) -> None:
    text = choice_form(["yes", "no"], "guided_choice")
    source = grammar(draws, AnswerForm(text=text, calls=CallForm(dialect=HERMES, functions=functions())))
    assert draws.accepts(source, "yes") and draws.accepts(source, HERMES.written([("stop", "{}")]))
    assert not draws.accepts(source, "maybe")


def test_special_tokens_of_a_dialect_are_tokens_and_not_their_spelling(draws: Draws) -> None:
    dialect = Dialect(trigger="<|im_start|>", between=";", closing="<|endoftext|>")  # tokens of the tiny model
    form = AnswerForm(calls=CallForm(dialect=dialect, functions=functions(), required=True, several=False))
    source = grammar(draws, form)
    answer = dialect.trigger + '{"name": "stop", "arguments": {}}'
    matcher = draws.grammars.compile(source).matcher()
    for id in draws.tokenizer.encode(answer, add_bos=False, allow_special=True):
        assert id in allowed_ids(matcher)
        matcher.accept(id)
    assert draws.tokenizer.special.ids["<|endoftext|>"] in allowed_ids(matcher)
    assert not draws.accepts(source, answer)  # spelt out


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        (regex_form(r"[a-c]+/\d{2}", "r"), ["a/12", "abc/00"], ["a/1", "d/12", "a/123"]),
        (choice_form(["", 'a"b', "é\n/"], "c"), ["", 'a"b', "é\n/"], ["a", "é"]),
        (lark_form('start: word ("," word)*\nword: /[a-z]+/  // a & b %json @x', "g"), ["a", "a,bc"], ["", "a,"]),
        (schema_form({"type": "object"}, "s"), ["{}", '{"a": [1, null]}'], ["[]", "{", "{} "]),
    ],
    ids=["regex", "choice", "lark", "schema"],
)
def test_forms_of_text(draws: Draws, form: TextForm, good: list[str], bad: list[str]) -> None:
    source = grammar(draws, AnswerForm(text=form))
    thinking = grammar(draws, AnswerForm(text=form, reasons=True))
    begun = grammar(draws, AnswerForm(text=form, reasons=True, is_open=True))
    for answer in good:
        assert draws.accepts(source, answer)
        assert draws.accepts(thinking, answer)
        assert draws.accepts(thinking, f"<think>\nI see: {{</think>\n\n{answer}")
        assert draws.accepts(begun, f"I see: {{</think>\n{answer}")
    for answer in bad:
        assert not draws.accepts(source, answer)
        assert not draws.accepts(begun, f"a</think>{answer}")


def test_a_grammar_without_an_end_does_not_hang(draws: Draws) -> None:
    source = grammar(draws, AnswerForm(text=lark_form('start: /x+/ "x"', "g")))
    assert not draws.accepts(source, "xxxx")


def test_any_answer_needs_no_grammar(draws: Draws) -> None:
    assert answer_grammar(AnswerForm(reasons=True), draws.tokenizer.special) is None


@pytest.mark.parametrize(
    "source",
    [
        'start: %json {"$ref": "#"}',
        "start: A\nA: /a/ & /b/",
        "start: A\nA: ~/a/",
        "start: @other",
        'start: "y" | /x\n"/ | %json {"type": "object"}',
        'start: <a"> | %json {"type": "object"}',
        "%llguidance {}\nstart: A",
        'start: "x"\n' + "\n".join(f'a{at}: "x"' for at in range(600)),
        "#" * 70_000,
    ],
    ids=["json", "and", "not", "reference", "across-lines", "in-token", "options", "rules", "long"],
)
def test_a_grammar_that_nothing_bounds_is_refused(source: str) -> None:
    with pytest.raises(GrammarInvalid) as refused:
        lark_form(source, "guided_grammar")
    assert refused.value.param == "guided_grammar"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"type": "object", "properties": {"a-b": {}}}, "a-b"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "properties": {"b": {}}}}}, r"\$ref"),
    ],
)
def test_parameters_that_cannot_be_keywords_are_refused(parameters: dict[str, Any], words: str) -> None:
    schema = enforceable(parameters, "p").schema
    form = AnswerForm(calls=CallForm(dialect=PYTHONIC, functions=[Function("f", schema)]))
    with pytest.raises(GrammarInvalid, match=words) as refused:
        answer_grammar(form, SpecialTokens({}))
    assert refused.value.param == "tools"


# Schemas


def nested(levels: int) -> dict[str, Any]:
    return {"items": nested(levels - 1)} if levels else {}


def chain(length: int) -> dict[str, Any]:
    """A schema whose references lead from one definition to the next."""
    steps = {f"a{at}": {"properties": {"x": {"$ref": f"#/$defs/a{at + 1}"}}} for at in range(length)}
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{length}": {}}}


@pytest.mark.parametrize(
    ("schema", "place", "words"),
    [
        ({"properties": {"a": {"items": {"uniqueItems": True}}}}, ".properties.a.items", "`uniqueItems`"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"not": {}}}}, ".$defs.b", "`not`"),
        ({"anyOf": [{"type": "string"}, {"pattern": "("}]}, ".anyOf[1]", "unclosed group"),
        ({"properties": {"a": {"format": "binary"}}}, ".properties.a", "`binary`"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "", "`oneOf`"),
        ({"properties": {"a": 3}}, ".properties.a", "object"),
        ({"$ref": "https://example.com/schema"}, "", "example.com"),
        ({"$ref": "#/$defs/none"}, "", "/$defs/none"),
        ({"properties": {"a": {"items": {"$ref": "#/$defs/none"}}}}, ".properties.a.items", "/$defs/none"),
        ({"properties": {"a": {"$ref": "https://example.com/schema"}}}, ".properties.a", "example.com"),
        ({"properties": {"a": {"minProperties": 3}}}, ".properties.a", "`minProperties`"),
        ({"minimum": 3, "maximum": 1, "type": "integer"}, "", "minimum"),
        ({"x-guidance": {"lenient": True}, "not": {}}, "", "`not`"),
        ({"allOf": [{}], "$ref": "#/allOf/\u00b2"}, "", "allOf"),
        (chain(2000), "", "levels"),
        (nested(180), "", "levels of nesting"),
        ({"const": "\ud800"}, "", "surrogate"),
        ({"allOf": [{"pattern": f"x{at}"} for at in range(20)]}, "", "patterns"),
        ({"properties": {f"p{at}": {} for at in range(6000)}}, "", "properties"),
        ({"patternProperties": {f"^p{at}": {} for at in range(200)}}, "", "pattern properties"),
        ({"const": "x" * 300_000}, "", "bytes"),
        (False, "", "`not`"),
        (3, "", "not a JSON Schema"),
        ({"minimum": float("nan")}, "", "JSON"),
    ],
)
def test_a_schema_that_cannot_be_enforced_is_refused_with_its_place(schema: Any, place: str, words: str) -> None:
    with pytest.raises(SchemaInvalid) as refused:
        enforceable(schema, "schema")
    assert refused.value.param == f"schema{place}"
    assert words in refused.value.message


def test_a_lenient_schema_says_what_of_it_is_not_enforced() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    assert enforceable(schema, "p", lenient=True).ignored == ("`uniqueItems` cannot be enforced",)
    assert enforceable({"type": "object"}, "p", lenient=True).ignored == ()
    with pytest.raises(SchemaInvalid):
        enforceable({"type": "strin"}, "p", lenient=True)


@pytest.mark.parametrize(
    ("inner", "ignored"),
    [
        ({"pattern": "^(?!x)"}, "`pattern` cannot be enforced"),
        ({"type": "object", "minProperties": 3}, "`minProperties` cannot be enforced beyond the required properties"),
        ({"type": "array", "uniqueItems": True}, "`uniqueItems` cannot be enforced"),
        ({"type": "string", "format": "binary"}, "the format `binary` cannot be enforced"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "`oneOf` is enforced as `anyOf`"),
    ],
)
def test_a_lenient_schema_leaves_out_what_cannot_be_enforced(inner: dict[str, Any], ignored: str) -> None:
    schema = {"type": "object", "properties": {"a": inner, "b": inner}, "required": ["a"]}
    found = enforceable(schema, "p", lenient=True)
    assert found.ignored == (ignored,) and found.schema["required"] == ["a"]
    with pytest.raises(SchemaInvalid) as refused:
        enforceable(schema, "p")
    assert refused.value.param == "p.properties.a"


def test_the_place_of_an_error_is_not_looked_for_without_end() -> None:
    large = {"type": "object", "properties": {f"p{at}": {"type": "string"} for at in range(4500)}}
    users = {f"q{at}": {"$ref": "#/$defs/large", "title": "x"} for at in range(280)}
    schema = {"$defs": {"large": large}, "properties": {**users, "z": {"uniqueItems": True}}}
    begun = time.monotonic()
    with pytest.raises(SchemaInvalid, match="uniqueItems"):
        enforceable(schema, "p")
    assert time.monotonic() - begun < 30  # without a bound it takes minutes


def test_a_chain_as_long_as_is_allowed_compiles(draws: Draws) -> None:
    text = schema_form(enforceable(chain(150), "p").schema, "p")
    assert draws.accepts(grammar(draws, AnswerForm(text=text)), '{"x":{"x":{}}}')


@pytest.mark.parametrize(
    ("schema", "is_closed"),
    [
        ({"properties": {"a": {}}}, True),
        ({"properties": {"a": {}}, "additionalProperties": True}, False),
        ({"properties": {"a": {}}, "required": ["b"]}, False),
        ({"properties": {}}, False),
        ({"$defs": {"unused": {"properties": {"a": {}}, "required": 5}}}, False),
        ({"$defs": {"unused": {"properties": {"a": {}}, "required": [["a"]], "minProperties": "1"}}}, False),
        ({"allOf": [{"properties": {"a": {}}}]}, False),
        ({"properties": {"a": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, False),
    ],
)
def test_objects_have_only_their_own_properties_where_that_contradicts_nothing(
    schema: dict[str, Any], is_closed: bool
) -> None:
    assert (enforceable(schema, "p").schema.get("additionalProperties") is False) == is_closed
