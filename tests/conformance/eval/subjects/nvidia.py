"""NeMo Evaluator, whose jobs end as soon as they are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.eval.subject import Subject
from runtime.conformance.stacks import run_config
from runtime.conformance.subjects import Kind
from tests.support.nemo import KEY, Nemo, running_nemo

RESULTS = {"tasks": {"gsm8k": {"metrics": {"accuracy": {"scores": {"micro": {"value": 0.5}}}}}}}


@asynccontextmanager
async def subject(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with running_nemo() as nemo:
        nemo.comes_to = RESULTS
        config = {"evaluator_url": nemo.url, "api_key": KEY}
        entry = {"provider_id": "nvidia", "provider_type": "remote::nvidia", "config": config}
        yield Subject(
            run_config=run_config(providers={"inference": [], "eval": [entry]}, persistent=True),
            benchmark={"metadata": {"type": "gsm8k", "params": {"limit_samples": 5}}},
            candidate={"type": "model", "model": "meta/llama-3.1-8b-instruct"},
            secret=KEY,
            wrong={"metadata": {"tasks": {}}},
            hold=lambda: holding(nemo, True),
            let=lambda: holding(nemo, False),
            fail=lambda: nemo.fails.update({"/jobs": [500] * 9}),
        )


def holding(nemo: Nemo, is_held: bool) -> None:
    nemo.comes_to = None if is_held else RESULTS


SUBJECTS = {"evaluator": Kind(make=subject, abilities=frozenset({"refuses", "holds", "fails"}))}
