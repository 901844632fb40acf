"""The functions that compute, each with rows that it finds good and bad."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.scoring.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind

Row = Mapping[str, Any]
BASIC = {"provider_id": "basic", "provider_type": "inline::basic"}
JUDGING = {"type": "llm_as_judge", "judge_model": "a-model"}


def function(name: str, good: Row, bad: Row, **told: Any) -> Kind:
    @asynccontextmanager
    async def running(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        async with serving(run_config(providers={"scoring": [BASIC]}), folder) as served:
            client, wrong = served.client, JUDGING
            yield Subject(client=client, function=f"basic::{name}", good=good, bad=bad, wrong_params=wrong, **told)

    return Kind(make=running, abilities=frozenset({"wrong_params"}))


def answered(generated: Any, expected: Any, **more: Any) -> Row:
    return {"generated_answer": generated, "expected_answer": expected, **more}


MULTIPLE_CHOICE, MATH = "regex_parser_multiple_choice_answer", "regex_parser_math_response"
SCHEMA = {"name": "play", "parameters": {"properties": {"artist": {"type": "string"}}, "required": ["artist"]}}
PLAYED = {"function": [SCHEMA], "ground_truth": [{"play": {"artist": ["Maroon 5"]}}]}
SUBJECTS = {
    "equality": function("equality", answered("Paris", "Paris"), answered("Rome", "Paris")),
    "multiple-choice": function(MULTIPLE_CHOICE, answered("Answer: B", "B"), answered("Answer: C", "B")),
    "math": function(MATH, answered(r"So it is $\boxed{\frac12}$.", "0.5"), answered(r"$\boxed{2}$", "0.5")),
    "bfcl": function(
        "bfcl",
        {"generated_answer": "play(artist='Maroon 5')", **PLAYED},
        {"generated_answer": "play(artist='Abba')", **PLAYED},
    ),
    "ifeval": function(
        "ifeval",
        {"generated_answer": "one two", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
        {"generated_answer": "one, two", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    ),
    "docvqa": function("docvqa", answered("Main Street 12", ["main street 12"]), answered("Rome", ["main street 12"])),
    "subset_of": function("subset_of", answered("It is Paris.", "Paris"), answered("It is Rome.", "Paris")),
}
