"""Constrained decoding with random logits: whatever a model prefers, the answer keeps to its grammar."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runtime.engine.engine import Engine
from runtime.engine.requests.grammar import GrammarInvalid, Grammars
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.options import EngineOptions
from runtime.engine.text.json_schema import enforceable
from runtime.engine.text.loading import load_tokenizer
from runtime.engine.text.text_model import grammars_of
from runtime.engine.text.tokenizer import Tokenizer
from runtime.errors import RequestError
from tests.support.draws import Draws, allowed_ids
from tests.support.samplers import SAMPLERS
from tests.support.tiny_model import write_tiny_chat_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chat_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def grammars(tokenizer: Tokenizer) -> Grammars:
    return grammars_of(tokenizer, tokenizer.end_ids)


def of_schema(schema: Any) -> str:
    return f"start: %json {json.dumps(enforceable(schema, 'schema').schema)}"


@pytest.fixture(scope="module", params=SAMPLERS)
def draws(tokenizer: Tokenizer, request: pytest.FixtureRequest) -> Draws:
    return Draws(tokenizer, request.param)


SCHEMAS: dict[str, Any] = {
    "flat": {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 0}},
        "required": ["name", "age"],
    },
    "open": {"type": "object", "properties": {"a": {"type": "boolean"}}, "additionalProperties": {"type": "null"}},
    "nested": {
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1, "maxItems": 3},
            "kind": {"enum": ["a", "b", 3, None]},
        },
        "required": ["list"],
        "$defs": {"item": {"type": "object", "properties": {"n": {"type": "number", "maximum": 5}}, "required": ["n"]}},
    },
    "recursive": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
    },
    "merged": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"const": "x"}}, "required": ["b"]},
        ],
        "unused": True,
    },
    "strings": {
        "type": "object",
        "properties": {
            "host": {"type": "string", "format": "ipv4"},
            "id": {"type": "string", "format": "uuid"},
            "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{1,3}$"},
        },
        "required": ["host", "id", "code"],
    },
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "integer", "multipleOf": 7}, {"type": ["string", "null"], "maxLength": 4}],
        "items": False,
        "minItems": 2,
    },
    "union": {
        "oneOf": [
            {"type": "object", "properties": {"t": {"const": "one"}, "v": {"type": "boolean"}}, "required": ["t", "v"]},
            {"type": "object", "properties": {"t": {"const": "two"}, "w": {"type": "null"}}, "required": ["t", "w"]},
        ]
    },
    "scalar": {"type": "integer", "exclusiveMinimum": -3, "exclusiveMaximum": 250},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_two_hundred_answers_of_random_logits_are_valid(draws: Draws, name: str) -> None:
    schema = SCHEMAS[name]
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    whole = 0
    for _ in range(5):
        for answer in draws.batch([of_schema(schema)] * 40):
            if answer is not None:
                whole += 1
                validator.validate(json.loads(answer))
    assert whole >= 190, "hardly an answer came to its end"


def test_rows_with_and_without_a_grammar_do_not_touch_each_other(draws: Draws) -> None:
    number = "start: /[0-9]{3}/"
    found = draws.batch([number, None, number, 'start: "yes" | "no"'], limit=40, leaning=1.0)
    for place in (0, 2):
        answer = found[place]
        assert answer is not None and answer.isdigit() and len(answer) == 3
    assert found[3] in ("yes", "no")
    assert found[1] is None or not found[1].isdigit()


@pytest.mark.parametrize(
    "source",
    ["start: /(/", "start: nowhere", "", "start: " + "(" * 5000, "start: %json {" + '"a":[' * 5000],
    ids=["regex", "rule", "empty", "nested", "nested-json"],
)
def test_a_grammar_that_is_wrong_is_refused_with_a_reason(grammars: Grammars, source: str) -> None:
    with pytest.raises(GrammarInvalid) as refused:
        grammars.compile(source)
    assert len(refused.value.message) < 700 and refused.value.status == 400


ENDLESS = {"a": {"$ref": "#/$defs/a"}}  # no value is of this definition


def test_a_grammar_that_no_answer_fits_is_refused_when_it_is_compiled_or_where_it_leads_nowhere(
    grammars: Grammars, tokenizer: Tokenizer
) -> None:
    with pytest.raises(GrammarInvalid, match="No answer fits"):
        grammars.compile(f"start: %json {json.dumps({'$ref': '#/$defs/a', '$defs': ENDLESS})}")
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": ENDLESS}
    matcher = grammars.compile(f"start: %json {json.dumps(schema)}").matcher()
    with pytest.raises(RequestError) as refused:
        for id in tokenizer.encode('{"a": '):
            assert id in allowed_ids(matcher)
            matcher.accept(id)
        matcher.allowed()
    assert refused.value.code == "grammar_without_answer"


def test_a_grammar_that_becomes_too_complex_ends_in_a_clear_error(grammars: Grammars) -> None:
    matcher = grammars.compile("start: /(((a|b){1,1000}){1,1000}){1000}c/").matcher()
    with pytest.raises(RequestError) as refused:
        for _ in range(2000):
            matcher.accept(min(allowed_ids(matcher)))
    assert refused.value.code == "grammar_too_complex"


def test_matchers_of_one_grammar_have_masks_of_their_own(grammars: Grammars, tokenizer: Tokenizer) -> None:
    grammar = grammars.compile('start: "a" "b"')
    first, second = grammar.matcher(), grammar.matcher()
    mask = first.allowed()
    first.accept(*tokenizer.encode("a"))
    before = bytes(mask)
    assert second.allowed() == before
    assert first.allowed() is mask and mask != before


# In the engine


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Engine]:
    engine = Engine(EngineOptions(model=folder, threads=1, dtype="float32"))
    async with asyncio.timeout(60):
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("engine")]


async def test_the_engine_keeps_to_grammars_in_a_batch_and_repeats_with_a_seed(
    folder: Path, tokenizer: Tokenizer, grammars: Grammars
) -> None:
    grammar = grammars.compile('start: ("ab" | "cd"){2} "."')
    failing = grammars.compile("start: /(((a|b){1,1000}){1,1000}){1000}c/")
    params = SamplingParams(seed=3, grammar=grammar)

    async def answer(engine: Engine, params: SamplingParams) -> str:
        ids = [output.token_id async for output in engine.generate(tokenizer.encode("hello"), params)]
        return tokenizer.decode(ids)

    async with running(folder) as engine:
        plain = SamplingParams(seed=3, max_tokens=30, ignore_eos=True)
        alone = [await answer(engine, one) for one in (params, plain)]
        together = await asyncio.gather(
            *(answer(engine, one) for one in (params, plain, SamplingParams(seed=1, grammar=failing))),
            return_exceptions=True,
        )
        assert together[:2] == alone
        assert isinstance(together[2], RequestError) and together[2].code == "grammar_too_complex"
        assert len(alone[0]) == 5 and set(alone[0]) <= set("abcd.")
        cut = await answer(engine, SamplingParams(seed=3, grammar=grammar, max_tokens=2))
        assert cut == alone[0][:2]


def test_an_answer_of_a_form_cannot_ignore_its_end(grammars: Grammars) -> None:
    with pytest.raises(RequestError) as refused:
        SamplingParams(ignore_eos=True, grammar=grammars.compile('start: "a"'))
    assert refused.value.param == "ignore_eos"
