"""A function that a package brings, which is generated and installed beside us."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from runtime.conformance.scoring.subject import Subject
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from runtime.providers.scoring.functions.found import GROUP
from tests.support.external_packages import install

FUNCTIONS = {"provider_id": "functions", "provider_type": "inline::functions"}
SCORES = '''\
def length(row, *, longest: int = 100) -> float:
    """How much of the longest answer there could be this is.

    More about it."""
    return min(len(row["generated_answer"]) / longest, 1.0)

length.columns = ["generated_answer"]
'''


@contextmanager
def installed(folder: Path, name: str, code: str, *functions: str) -> Iterator[None]:
    """A package of one module, of the same name, with entry points for these functions."""
    points = "\n".join(f"{function} = {name}:{function}" for function in functions)
    install(folder, name, {f"{name}.py": code}, entry_points=points, group=GROUP)
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@asynccontextmanager
async def generated(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    with installed(folder / "site", "meadow_scores", SCORES, "length"):
        async with serving(run_config(providers={"scoring": [FUNCTIONS]}), folder / "state") as served:
            yield Subject(
                client=served.client,
                function="functions::length",
                good={"generated_answer": "a long answer"},
                bad={"generated_answer": "no"},
                wrong_params={"type": "basic", "options": {"shortest": 1}},
            )


SUBJECTS = {"generated": Kind(make=generated, abilities=frozenset({"wrong_params"}))}
