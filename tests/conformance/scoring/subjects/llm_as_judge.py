"""Judges over a vendor that judges by words, and by the embedded model's form in `tests/models`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.scoring.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from runtime.conformance.upstream import refusal, upstream_server
from tests.support.judge_model import JUDGE, JudgeModel
from tests.support.stacks import openai_at

KEY = "sk-configured-secret"
MODEL = f"vendor/{JUDGE}"
GOOD = {"input_query": "Where?", "generated_answer": "a good one", "expected_answer": "here", "other_answer": "another"}
BAD = {**GOOD, "generated_answer": "a poor one", "other_answer": "one that is good"}
TOLD = {"type": "llm_as_judge", "judge_model": MODEL, "prompt_template": "{generated_answer}", "score_range": [1, 5]}


def failing(upstream: JudgeModel) -> None:
    async def refuse(_: Any) -> Any:
        return refusal(500, f"with {KEY} it does not work")

    upstream.misbehaves = refuse


def judge(function: str, params: Mapping[str, Any] | None, wrong: Mapping[str, Any]) -> Kind:
    @asynccontextmanager
    async def wire(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        async with upstream_server(make=JudgeModel) as vendor:
            judging = {
                "provider_id": "llm-as-judge",
                "provider_type": "inline::llm-as-judge",
                "config": {"judge_model": MODEL},
            }
            run = run_config(providers={"inference": [openai_at(vendor.url)], "scoring": [judging]})
            async with serving(run, folder) as served:
                yield Subject(
                    client=served.client, function=f"llm-as-judge::{function}", good=GOOD, bad=BAD, params=params,
                    wrong_params=wrong, secret=KEY, fail=lambda: failing(vendor),
                )  # fmt: skip

    return Kind(make=wire, abilities=frozenset({"fails", "wrong_params"}))


SUBJECTS = {
    "base": judge("base", TOLD, {**TOLD, "prompt_template": "no place for anything"}),
    "base-by-expressions": judge("base", {**TOLD, "judge_score_regexes": [r"Score: (\d)"]}, {"type": "basic"}),
    "pairwise": judge("pairwise", None, TOLD),
}
