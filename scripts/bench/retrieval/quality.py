"""Questions with known answers, and how well a ranking of chunks answers them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_QUESTIONS = Path(__file__).with_name("questions.toml")
_DEPTH = 50
"""What is found below this place counts as not found."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """kind: exact, paraphrase or mixed. ask: what is searched for. answers: the places of the chunks that answer it."""

    kind: str
    ask: str
    answers: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Means over questions, 0 to 1. recall: an answer is among the first 5. mrr: one over the place of the first. ndcg:
    over the first 10, each answer counting as 1 (Järvelin and Kekäläinen 2002).
    """

    recall: float
    mrr: float
    ndcg: float

    def __str__(self) -> str:
        return f"{self.recall:.3f} {self.mrr:.3f} {self.ndcg:.3f}"


def questions(chunks: Sequence[str]) -> list[Question]:
    """All questions. Raises ValueError for those that no chunk answers, as in a Python whose texts are otherwise."""
    plain = [" ".join(chunk.split()) for chunk in chunks]
    made = [
        Question(kind=kind, ask=ask, answers=frozenset(at for at, text in enumerate(plain) if words in text))
        for kind, pairs in tomllib.loads(_QUESTIONS.read_text(encoding="utf-8")).items()
        for ask, words in pairs
    ]
    if missing := [question.ask for question in made if not question.answers]:
        raise ValueError(f"nothing answers {missing}")
    return made


def figures(asked: Sequence[Question], rankings: Sequence[Sequence[int]]) -> Mapping[str, Figures]:
    """By kind, and of `all`. rankings: for each question the chunks that were found, the best first."""
    pairs = list(zip(asked, rankings, strict=True))
    of_kind = {kind: [pair for pair in pairs if pair[0].kind == kind] for kind in dict.fromkeys(q.kind for q in asked)}
    return {kind: _means(some) for kind, some in {**of_kind, "all": pairs}.items()}


def _means(pairs: Sequence[tuple[Question, Sequence[int]]]) -> Figures:
    recall = mrr = ndcg = 0.0
    for question, ranking in pairs:
        places = [place for place, chunk in enumerate(ranking[:_DEPTH]) if chunk in question.answers]
        recall += any(place < 5 for place in places)
        mrr += 1 / (places[0] + 1) if places else 0
        ndcg += _gain(place for place in places if place < 10) / _gain(range(min(10, len(question.answers))))
    return Figures(recall=recall / len(pairs), mrr=mrr / len(pairs), ndcg=ndcg / len(pairs))


def _gain(places: Iterable[int]) -> float:
    return sum(1 / math.log2(place + 2) for place in places)
