"""How a model is sampled where a request does not say: as its makers advise.

A small model sampled from its whole distribution wanders off within a sentence. Hugging Face folders carry the advice
in `generation_config.json`; for what comes with a package without one it stands here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class SamplingDefaults:
    """Values for fields that a request leaves out; OpenAI's own defaults where nobody advises anything."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0

    def advised(self) -> dict[str, float]:
        """What differs from OpenAI's defaults, for listings."""
        plain = SamplingDefaults()
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != getattr(plain, field.name)
        }


# Its makers say 0.2 and 0.9 (https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct), for weights that were not
# rounded to 4 bits. From these, two in five answers to "What is the capital of France?" begin with `L` and never end;
# so less is left to chance, and repeating costs.
_SHIPPED = {"SmolLM2-135M-Instruct": SamplingDefaults(temperature=0.1, top_p=0.4, frequency_penalty=0.3)}


def sampling_defaults(model: str, path: Path) -> SamplingDefaults:
    """What the makers of a model advise. A `generation_config.json` that cannot be read advises nothing."""
    if model in _SHIPPED:
        return _SHIPPED[model]
    try:
        said = json.loads((path / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return SamplingDefaults()
    if not isinstance(said, dict):
        return SamplingDefaults()
    names = [field.name for field in fields(SamplingDefaults)]
    advice = {name: said[name] for name in names if type(said.get(name)) in (int, float)}
    return SamplingDefaults(**advice)
