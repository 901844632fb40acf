"""Sampling parameters for requests that leave them out: what the model's makers advise.

Sampled from its whole distribution, a small model loses its thread within a sentence. Hugging Face folders hold the
advice in `generation_config.json`; for models from packages without one it is here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class SamplingDefaults:
    """Values for fields that a request leaves out; OpenAI's defaults where there is no advice."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0

    def advised(self) -> dict[str, float]:
        """The values that differ from OpenAI's defaults, for listings."""
        plain = SamplingDefaults()
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != getattr(plain, field.name)
        }


# Its makers advise a temperature of 0.2 and a top_p of 0.9 (https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct),
# for unquantised weights. In its 4-bit file tokens are often nearly as likely as others that lead nowhere, so less is
# random here, and repetition has a penalty. What the likeliest token is, this does not change: where two are nearly
# equal the rounding of activations decides, here as in llama.cpp. So "What is the capital of France?" begins with `L`
# and fails, while tests/models/providers/test_first_questions.py holds what is proposed to a newcomer.
_SHIPPED = {"SmolLM2-135M-Instruct": SamplingDefaults(temperature=0.1, top_p=0.4, frequency_penalty=0.3)}


def sampling_defaults(model: str, path: Path) -> SamplingDefaults:
    """What the makers of a model advise; OpenAI's defaults where its `generation_config.json` cannot be read."""
    if model in _SHIPPED:
        return _SHIPPED[model]
    try:
        advice = json.loads((path / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return SamplingDefaults()
    if not isinstance(advice, dict):
        return SamplingDefaults()
    names = [field.name for field in fields(SamplingDefaults)]
    return SamplingDefaults(**{name: advice[name] for name in names if type(advice.get(name)) in (int, float)})
