"""Answers of a form at every provider that claims it: a JSON object, JSON of a schema, and wrong schemas."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.asgi import Answered
from runtime.conformance.inference.subject import Subject

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["sun", "rain"]},
        "degrees": {"type": "integer", "minimum": 0, "maximum": 40},
        "hours": {"type": "array", "items": {"$ref": "#/$defs/hour"}, "minItems": 1, "maxItems": 2},
    },
    "required": ["kind", "degrees", "hours"],
    "additionalProperties": False,
    "$defs": {
        "hour": {
            "type": "object",
            "properties": {"wet": {"type": "boolean"}},
            "required": ["wet"],
            "additionalProperties": False,
        }
    },
}


def of_schema(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "weather", "schema": schema, **more}}


async def formatted(subject: Subject, response_format: dict[str, Any], **fields: Any) -> Answered:
    body: dict[str, Any] = {
        "model": subject.chat,
        "messages": [{"role": "user", "content": "Describe the weather as JSON."}],
        "temperature": 0,
        "max_tokens": 400,
        "response_format": response_format,
        **fields,
    }
    return await subject.client.post("/v1/chat/completions", body)


@needs("json_schema")
@pytest.mark.parametrize("more", [{}, {"strict": True}], ids=["", "strict"])
async def test_an_answer_matches_the_schema_and_is_the_same_streamed(subject: Subject, more: dict[str, Any]) -> None:
    answer = await formatted(subject, of_schema(SCHEMA, **more))
    assert answer.status == 200, answer.body
    (choice,) = answer.json()["choices"]
    jsonschema.validate(json.loads(choice["message"]["content"]), SCHEMA)
    assert choice["finish_reason"] == "stop"
    events = (await formatted(subject, of_schema(SCHEMA, **more), stream=True)).events()
    text = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    assert text == choice["message"]["content"]


@needs("json_schema", "n")
async def test_each_of_n_answers_matches_the_schema(subject: Subject) -> None:
    answer = await formatted(subject, of_schema(SCHEMA), n=3, temperature=1, seed=2)
    assert answer.status == 200, answer.body
    for choice in answer.json()["choices"]:
        jsonschema.validate(json.loads(choice["message"]["content"]), SCHEMA)


@needs("json_object")
async def test_an_object_is_an_object(subject: Subject) -> None:
    answer = await formatted(subject, {"type": "json_object"}, max_tokens=60)
    assert answer.status == 200, answer.body
    (choice,) = answer.json()["choices"]
    assert choice["message"]["content"].startswith("{")
    if choice["finish_reason"] == "stop":  # at its limit an answer is cut off, as at OpenAI
        assert isinstance(json.loads(choice["message"]["content"]), dict)


@needs("json_schema")
async def test_a_wrong_schema_is_a_400_with_its_place(subject: Subject) -> None:
    wrong = {"type": "object", "properties": {"a": {"type": "strin"}}}
    for stream in (False, True):
        answer = await formatted(subject, of_schema(wrong), stream=stream)
        assert answer.status == 400
        assert answer.error["param"].startswith("response_format.json_schema.schema.properties.a")
