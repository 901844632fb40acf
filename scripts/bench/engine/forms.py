"""What it costs that an answer keeps to a JSON Schema: decoding with one against decoding freely, by our server."""

from __future__ import annotations

from functools import partial
from typing import Any

from scripts.bench import measure
from scripts.bench.engine import budgets
from scripts.bench.engine.prompts import Messages
from scripts.bench.engine.report import Report
from scripts.bench.engine.served import Served
from scripts.bench.engine.settings import STREAMS
from scripts.bench.engine.subjects import Subjects

_ANSWER = 192
_PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "role": {"enum": ["reader", "writer", "owner"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    },
    "required": ["name", "age", "role", "tags"],
    "additionalProperties": False,
}
_SCHEMA = {"type": "array", "items": _PERSON, "minItems": 50}
"""It takes more tokens than are asked for, so that both answers have the same length."""
_FORM = {"type": "json_schema", "json_schema": {"name": "people", "schema": _SCHEMA, "strict": True}}


def run(subjects: Subjects, report: Report, rounds: int) -> None:
    for streams in (1, STREAMS):
        measure.say(f"JSON Schema, streams: {streams}")
        with_schema, without = "with a schema", "without"

        def speed(fields: dict[str, Any], streams: int) -> float:
            return _speed(subjects.our_server, [subjects.prompts.short() for _ in range(streams)], fields)

        works = {
            with_schema: partial(speed, {"response_format": _FORM}, streams),
            without: partial(speed, {"ignore_eos": True}, streams),
        }
        for work in works.values():
            work()  # the first grammar prepares the vocabulary
        found = measure.interleaved(works, rounds=rounds)
        report.figures(f"decode, streams: {streams}, our server, tokens a CPU s", found)
        if streams == 1:
            report.ratio(budgets.SCHEMA, found[with_schema], found[without])


def _speed(served: Served, chats: list[Messages], fields: dict[str, Any]) -> float:
    answers, cpu_s = served.generate(chats, _ANSWER, **fields)
    return sum(answer.tokens for answer in answers) / cpu_s
