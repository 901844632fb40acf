"""The classifier: how sure it is that a text is abusive or profane, from the single words in it.

scikit-learn's TfidfVectorizer, then a CalibratedClassifierCV of linear SVMs, as the package alt-profanity-check has
them: https://scikit-learn.org/1.9/modules/feature_extraction.html#tfidf-term-weighting and
https://scikit-learn.org/1.9/modules/calibration.html. Knows texts, and no messages.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

from runtime.providers.safety.profanity_check.pickled import Pickled, read_pickled
from runtime.providers.safety.profanity_check.plain_letters import plain_letters

_WORD = re.compile(r"\b\w\w+\b")
_AS_WE_DO = {
    "analyzer": "word",
    "lowercase": True,
    "token_pattern": r"(?u)\b\w\w+\b",
    "ngram_range": (1, 1),
    "binary": False,
    "norm": "l2",
    "use_idf": True,
    "sublinear_tf": False,
    "strip_accents": None,
}
"""How the vectorizer must be set up for what is done here to be what it does."""
_SENTENCE = re.compile(r"[^.!?\n]{1,2000}(?=[\s.!?]|\Z)|[^.!?\n]{1,2000}")
"""One that is very long is cut between two words: while it is looked through, no other thread runs."""
TOGETHER = 30
"""So many words are looked at together. The model was taught with comments, and the longer a text is, the less does one
insult in it weigh; a longer text is as bad as its worst piece.
"""
_FEWEST = 8
"""A shorter sentence is looked at with the next one: less than this says too little."""


@dataclass(frozen=True)
class _Line:
    """A linear model, and how its value becomes a probability (Platt 1999). weights: [words]."""

    weights: Sequence[float]
    intercept: float
    slope: float
    offset: float

    def probability(self, vector: Sequence[tuple[int, float]]) -> float:
        value = self.intercept + math.fsum(self.weights[index] * weight for index, weight in vector)
        return 1.0 / (1.0 + math.exp(self.slope * value + self.offset))


@dataclass(frozen=True)
class Classifier:
    """idf: [words], how rare each word is. words: the place of each."""

    words: dict[str, int]
    idf: array[float]
    lines: tuple[_Line, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From the package's files. Raises ValueError for a model that works in another way than this one."""
        vectorizer = read_pickled(folder / "vectorizer.joblib")
        model = read_pickled(folder / "model.joblib")
        others = [name for name, value in _AS_WE_DO.items() if getattr(vectorizer, name, None) != value]
        if others or getattr(model, "method", None) != "sigmoid":
            what = ", ".join(others) or "its calibration"
            raise ValueError(f"`{folder}` has a model of another kind: {what} differs")
        lines = tuple(_line(one) for one in model.calibrated_classifiers_)
        return cls(words=vectorizer.vocabulary_, idf=vectorizer._tfidf.idf_.values, lines=lines)

    def score(self, text: str) -> float:
        """How sure it is, from 0 to 1."""
        return max(map(self._score, _pieces(plain_letters(text).lower())))

    def _score(self, words: Sequence[str]) -> float:
        places = Counter(self.words[word] for word in words if word in self.words)
        weighed = [(place, count * self.idf[place]) for place, count in places.items()]
        length = math.sqrt(math.fsum(weight * weight for _, weight in weighed)) or 1.0
        vector = [(place, weight / length) for place, weight in weighed]
        return math.fsum(line.probability(vector) for line in self.lines) / len(self.lines)


def _pieces(text: str) -> Iterator[Sequence[str]]:
    """The words of what is looked at together: all of them, or of a longer text its sentences."""
    words = [word[0] for word in islice(_WORD.finditer(text), TOGETHER + 1)]
    if len(words) <= TOGETHER:
        yield words
        return
    piece: list[str] = []
    for sentence in _SENTENCE.finditer(text):
        piece += _WORD.findall(sentence[0])
        if len(piece) >= _FEWEST:
            yield from _windows(piece)
            piece = []
    yield piece


def _windows(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Of a long sentence, `TOGETHER` words at a time: every half one, and the last."""
    last = max(len(words) - TOGETHER, 0)
    for begin in (*range(0, last, TOGETHER // 2), last):
        yield words[begin : begin + TOGETHER]


def _line(of: Pickled) -> _Line:
    fitted: Any = of
    [calibrator] = fitted.calibrators
    estimator = fitted.estimator
    return _Line(estimator.coef_.values, estimator.intercept_.values[0], calibrator.a_.value, calibrator.b_.value)
