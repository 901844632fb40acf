"""What an answer of Llama Guard means. It is `safe`, or `unsafe` with codes of categories in the lines below.

The model cards (https://github.com/meta-llama/PurpleLlama) take the probability of the first token as a score; the one
of Llama Guard 2 calls 0.5 and more unsafe, which is what the model itself says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.errors import UpstreamError
from runtime.providers.safety._llama_guard.prompt import Task

_SAFE, _UNSAFE = "safe", "unsafe"
_BLANK = "\u2581"
_special_token = re.compile(r"<\|[a-z_]+\|>|</?s>")
_unsafe_first = re.compile(r"unsafe\b[\s:.,]*").match
_code = re.compile(r"\b[A-Z]{1,3}\d{1,3}\b")


class Likelihood(Protocol):
    """A token that could stand in a place, and its log-probability (natural)."""

    @property
    def token(self) -> str: ...
    @property
    def logprob(self) -> float: ...


class Token(Likelihood, Protocol):
    """A token of an answer, and the likeliest ones in its place."""

    @property
    def top_logprobs(self) -> Sequence[Likelihood]: ...


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the model says. codes: of categories that it was asked about, in the order of its answer. unknown: what else
    it answers where codes are expected. score: how probable it is that the message is unsafe, from 0 to 1.
    """

    is_safe: bool
    codes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    score: float


def verdict(answer: str, asked: Task, *, provider_id: str, tokens: Sequence[Token] = ()) -> Verdict:
    """What `answer` means. tokens: of the answer, with log-probabilities; without them the score is 0.0 or 1.0.

    An answer that names only categories that were excluded is safe: models name some that the task does not list.
    Unsafe without a code, or with unknown ones, is unsafe. Raises UpstreamError, as of `provider_id`, for an answer
    that is neither: it is never taken for safe.
    """
    text = _special_token.sub("", answer).strip()
    if text.lower() == _SAFE:
        return Verdict(is_safe=True, score=_score(tokens, otherwise=0.0))
    first = _unsafe_first(text.lower())
    if first is None:
        raise UpstreamError(
            "The answer of the model is neither `safe` nor `unsafe`",
            hint="the model of the shield has to be a Llama Guard",
            provider_id=provider_id,
        )
    codes, unknown = _named(text[first.end() :])
    offered = {category.code for category in asked.categories}
    if codes and not unknown and asked.excluded.issuperset(codes):
        return Verdict(is_safe=True, score=0.0)
    return Verdict(
        is_safe=False,
        codes=tuple(code for code in codes if code in offered),
        unknown=(*(code for code in codes if code not in offered | asked.excluded), *unknown),
        score=_score(tokens, otherwise=1.0),
    )


def _named(text: str) -> tuple[list[str], list[str]]:
    """Codes, each once, and what has none."""
    codes: list[str] = []
    unknown: list[str] = []
    for entry in re.split(r"[,;\n]", text):
        found = _code.findall(entry.upper())
        codes += found
        if not found and entry.strip():
            unknown.append(entry.strip())
    return list(dict.fromkeys(codes)), unknown


def _score(tokens: Sequence[Token], *, otherwise: float) -> float:
    probability = unsafe_probability(tokens)
    return otherwise if probability is None else probability


def unsafe_probability(tokens: Sequence[Token]) -> float | None:
    """From 0 to 1, by the first token that is not blank; None where it tells nothing. Some vocabularies have no token
    `unsafe`: the beginning of the word counts.
    """
    first = next((token for token in tokens if _word(token)), None)
    if first is None:
        return None
    likely = {one.token: one for one in (*first.top_logprobs, first) if not math.isnan(one.logprob)}
    safe, unsafe = (
        sum(math.exp(min(one.logprob, 0.0)) for one in likely.values() if _word(one) and word.startswith(_word(one)))
        for word in (_SAFE, _UNSAFE)
    )
    if safe and unsafe:
        return unsafe / (safe + unsafe)
    if safe:
        return max(0.0, 1.0 - safe)
    return min(unsafe, 1.0) if unsafe else None


def _word(token: Likelihood) -> str:
    """Its text without blanks, which some vocabularies write as a low line of their own, and without marks of turns."""
    return _special_token.sub("", token.token).strip(f"{_BLANK} \n\t\r").lower()
