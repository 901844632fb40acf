"""What every inference provider promises, asked of each that comes with us."""

from __future__ import annotations

import pytest

from runtime.conformance.inference.fixtures import *  # noqa: F403
from runtime.conformance.inference.test_inference import *  # noqa: F403
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible
from runtime.spec import Spec
from tests.conformance.inference.subject import found, kinds_of, providers
from tests.conformance.inference.vendor import CAPABILITIES, vendor_of

SUBJECTS = found()


@pytest.mark.parametrize("spec", providers(), ids=lambda spec: spec.provider_type)
async def test_every_provider_is_held_to_this(spec: Spec) -> None:
    assert kinds_of(spec), f"say in tests/conformance/inference/subjects how to run `{spec.provider_type}`"


VENDORS = [spec for spec in providers() if isinstance(spec.facts, OpenAICompatible)]


@pytest.mark.parametrize("spec", VENDORS, ids=lambda spec: spec.name)
async def test_a_vendor_claims_what_its_documentation_says(spec: Spec) -> None:
    assert spec.capabilities == vendor_of(spec).has & CAPABILITIES
