"""A chat completion as the answer of a Llama Guard: https://platform.openai.com/docs/api-reference/chat/object"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runtime.apis.inference.sense import making_sense, text_of
from runtime.sse import Json


@dataclass(frozen=True, kw_only=True)
class AnswerToken:
    """logprob: natural. top_logprobs: the likeliest in its place."""

    token: str
    logprob: float
    top_logprobs: tuple[AnswerToken, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """tokens: with their log-probabilities; empty where the vendor gives none."""

    text: str
    tokens: tuple[AnswerToken, ...] = ()


def answer_in(completion: Json, *, provider_id: str) -> Answer:
    """What is said in the first choice. Raises UpstreamError for what is no chat completion."""
    with making_sense(provider_id):
        choice = completion["choices"][0]
        likelihoods = choice.get("logprobs")
        tokens = likelihoods.get("content") if isinstance(likelihoods, dict) else None
        return Answer(text=text_of(choice["message"].get("content")), tokens=(*_tokens(tokens),))


def _tokens(given: Any) -> Iterator[AnswerToken]:
    """Those that can be read: a score is of use, and no reason to refuse a verdict."""
    for one in given if isinstance(given, list) else ():
        if not isinstance(one, dict):
            continue
        token, logprob = one.get("token"), one.get("logprob")
        if isinstance(token, str) and isinstance(logprob, int | float):
            yield AnswerToken(token=token, logprob=logprob, top_logprobs=(*_tokens(one.get("top_logprobs")),))
