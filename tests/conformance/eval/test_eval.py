"""What every provider of evaluations promises, asked of those that come with us."""

from __future__ import annotations

from runtime.conformance.eval.suite import *  # noqa: F403
from tests.support.subjects import found, not_held, not_in_guide

SUBJECTS = found("eval")


async def test_every_provider_is_held_to_this() -> None:
    on_a_cluster = {"ray"}  # whose rows alone are asked elsewhere: `tests/conformance/batches/test_ray.py`
    assert not_held("eval") == on_a_cluster


async def test_the_guide_has_every_provider() -> None:
    assert not_in_guide("eval", "evaluation.md") == set()
