"""What the labels of a Prompt Guard model say. Knows probabilities, and no texts.

https://huggingface.co/meta-llama/Prompt-Guard-86M has BENIGN, INJECTION and JAILBREAK; a jailbreak is an instruction to
the model too, so `injection` counts both, as llama-stack does. Of version 2, whose labels are BENIGN and MALICIOUS, or
LABEL_0 and LABEL_1, the second counts for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from runtime.providers.safety.prompt_guard.config import GuardType

_KNOWN: dict[tuple[str, ...], dict[GuardType, tuple[str, ...]]] = {
    ("BENIGN", "INJECTION", "JAILBREAK"): {"injection": ("INJECTION", "JAILBREAK"), "jailbreak": ("JAILBREAK",)},
    ("BENIGN", "MALICIOUS"): {"injection": ("MALICIOUS",), "jailbreak": ("MALICIOUS",)},
}


@dataclass(frozen=True)
class Labels:
    """names: in the model's order. harmful: by what is looked for, the places of those that count."""

    names: tuple[str, ...]
    harmful: Mapping[GuardType, tuple[int, ...]]

    @classmethod
    def read(cls, id2label: Mapping[int, str]) -> Self:
        """From a model's `config.json`. Raises ValueError for labels that are not Prompt Guard's."""
        given = tuple(id2label[place].upper() for place in sorted(id2label))
        names = next((known for known in _KNOWN if sorted(known) == sorted(given)), None)
        if names is not None:
            names = given
        elif given == tuple(f"LABEL_{place}" for place in range(len(given))):
            names = next((known for known in _KNOWN if len(known) == len(given)), None)
        if names is None:
            raise ValueError(f"its labels are {', '.join(id2label.values())}, which are not Prompt Guard's")
        harmful = next(harmful for known, harmful in _KNOWN.items() if sorted(known) == sorted(names))
        return cls(names, {kind: tuple(map(names.index, those)) for kind, those in harmful.items()})

    def score(self, probabilities: Sequence[float], guard_type: GuardType) -> float:
        """How likely it is what is looked for, from 0 to 1. probabilities: [labels]."""
        return min(1.0, sum(probabilities[place] for place in self.harmful[guard_type]))

    def shown(self, probabilities: Sequence[float]) -> dict[str, float]:
        """Each label's, by its name in lower case."""
        return {name.lower(): value for name, value in zip(self.names, probabilities, strict=True)}
