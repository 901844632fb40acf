"""Sampling parameters: ranges, and that reading them costs no torch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from runtime import errors
from runtime.engine.requests.sampling_params import SamplingParams


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("top_p", 1.1),
        ("top_p", -1),
        ("min_p", 2),
        ("top_k", -1),
        ("max_tokens", 0),
        ("frequency_penalty", 2.5),
        ("presence_penalty", -2.5),
        ("repetition_penalty", 0),
        ("logprobs", -1),
        ("logit_bias", {3: 101}),
        ("logit_bias", {3: float("inf")}),
    ],
)
def test_a_value_out_of_range_is_the_callers_mistake(name: str, value: Any) -> None:
    with pytest.raises(errors.RequestError, match=f"`{name}`") as caught:
        SamplingParams(**{name: value})
    assert caught.value.param == name


def test_the_engines_plain_half_does_not_import_torch() -> None:
    program = """
import sys
import runtime.engine.requests.sampling_params, runtime.engine.requests.messages
import runtime.engine.engine, runtime.engine.running.options
import runtime.engine.scheduling.scheduler, runtime.engine.memory.plan
print(sorted({"torch", "numpy", "safetensors"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
