"""What every provider of scoring functions promises, asked of those that come with us."""

from __future__ import annotations

from runtime.conformance.scoring.suite import *  # noqa: F403
from tests.support.subjects import found, not_held, not_in_guide

SUBJECTS = found("scoring")


async def test_every_provider_is_held_to_this() -> None:
    assert not_held("scoring") == set()


async def test_the_guide_has_every_provider() -> None:
    assert not_in_guide("scoring", "evaluation.md") == set()
