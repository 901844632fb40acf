"""What every provider of shields promises, asked of those that come with us."""

from __future__ import annotations

from runtime import discovery
from runtime.conformance.safety.suite import *  # noqa: F403
from tests.conformance.safety.subject import found, held
from tests.support.stack_home import TREE

SUBJECTS = found()


async def test_every_provider_is_held_to_this() -> None:
    specs = [spec for spec in discovery.built_in().specs if spec.api == "safety"]
    assert sorted(spec.name.replace("-", "_") for spec in specs) == held()


async def test_the_guide_has_every_provider() -> None:
    guide = (TREE / "docs/guide/safety.md").read_text(encoding="utf-8")
    types = {spec.provider_type for spec in discovery.built_in().specs if spec.api == "safety"}
    assert {name for name in types if f"| `{name}` |" not in guide} == set()
