"""What every vector database promises, asked of each that comes with us."""

from __future__ import annotations

from runtime import discovery
from runtime.conformance.vector_io.suite import *  # noqa: F403
from tests.conformance.vector_io.subject import found

SUBJECTS = found()


async def test_every_provider_is_held_to_this() -> None:
    held = {kind.spec.provider_type for kind in SUBJECTS.values()}
    specs = [spec for spec in discovery.built_in().specs if spec.api == "vector_io"]
    assert {spec.provider_type for spec in specs if spec.evidence.proof != "unproven"} == held
