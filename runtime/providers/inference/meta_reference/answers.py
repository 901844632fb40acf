"""The engine's text in OpenAI's shapes: chunks, whole answers, log-probabilities, usage. Knows dicts; no HTTP.

https://platform.openai.com/docs/api-reference/chat/object and /completions/object.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from runtime.engine.text.text_model import TextOutput, TextToken, TopLogprob
from runtime.ids import new_id
from runtime.sse import Json


@dataclass(kw_only=True)
class Usage:
    """Tokens of one answer. prompt_tokens: each prompt counts once. completion_tokens: so far, by choice."""

    prompt_tokens: int = 0
    completion_tokens: dict[int, int] = field(default_factory=dict)

    def add(self, choice: int, output: TextOutput) -> None:
        self.completion_tokens[choice] = output.completion_tokens

    def json(self) -> Json:
        written = sum(self.completion_tokens.values())
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": written,
            "total_tokens": self.prompt_tokens + written,
        }


_IMPOSSIBLE = -9999.0
"""What OpenAI shows for a log-probability of minus infinity. https://platform.openai.com/docs/api-reference/chat/object"""


class Shape(Protocol):
    """How an endpoint writes its answers: chat completions or completions."""

    def opening(self, choice: int) -> Json | None:
        """The first chunk of a choice, before any text; None where there is none."""

    def chunk(self, choice: int, output: TextOutput) -> Json: ...

    def whole(self, choices: list[list[TextOutput]], usage: Usage) -> Json: ...

    def usage_chunk(self, usage: Usage) -> Json: ...


class ChatShape:
    """Chat completions. model: the name in the answers. with_logprobs: whether the request asks for them."""

    def __init__(self, model: str, *, with_logprobs: bool) -> None:
        self._with_logprobs = with_logprobs
        self._head: Json = {"id": new_id("chatcmpl-"), "created": int(time.time()), "model": model}

    def opening(self, choice: int) -> Json | None:
        return self._chunk([self._choice(choice, {"role": "assistant", "content": ""}, None)])

    def chunk(self, choice: int, output: TextOutput) -> Json:
        made = self._choice(choice, {"content": output.text} if output.text else {}, output.finish_reason)
        if self._with_logprobs:
            made["logprobs"] = _chat_logprobs(output.tokens)
        return self._chunk([made])

    def usage_chunk(self, usage: Usage) -> Json:
        return {**self._chunk([]), "usage": usage.json()}

    def whole(self, choices: list[list[TextOutput]], usage: Usage) -> Json:
        made = []
        for index, outputs in enumerate(choices):
            text = "".join(output.text for output in outputs)
            tokens = [token for output in outputs for token in output.tokens]
            made.append(
                {
                    "index": index,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": _chat_logprobs(tokens) if self._with_logprobs else None,
                    "finish_reason": outputs[-1].finish_reason,
                }
            )
        return {**self._head, "object": "chat.completion", "choices": made, "usage": usage.json()}

    def _chunk(self, choices: list[Json]) -> Json:
        return {**self._head, "object": "chat.completion.chunk", "choices": choices}

    def _choice(self, index: int, delta: Json, finish_reason: str | None) -> Json:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


class CompletionShape:
    """Completions. echoes: the prompt to put before each choice; empty for none."""

    def __init__(self, model: str, *, with_logprobs: bool, echoes: list[str]) -> None:
        self._with_logprobs = with_logprobs
        self._echoes = echoes
        self._head: Json = {
            "id": new_id("cmpl-"),
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    def opening(self, choice: int) -> Json | None:
        return (
            {**self._head, "choices": [self._choice(choice, self._echoes[choice], (), None)]}
            if self._echoes[choice]
            else None
        )

    def chunk(self, choice: int, output: TextOutput) -> Json:
        return {**self._head, "choices": [self._choice(choice, output.text, output.tokens, output.finish_reason)]}

    def usage_chunk(self, usage: Usage) -> Json:
        return {**self._head, "choices": [], "usage": usage.json()}

    def whole(self, choices: list[list[TextOutput]], usage: Usage) -> Json:
        made = []
        for index, outputs in enumerate(choices):
            text = self._echoes[index] + "".join(output.text for output in outputs)
            tokens = tuple(token for output in outputs for token in output.tokens)
            made.append(self._choice(index, text, tokens, outputs[-1].finish_reason))
        return {**self._head, "choices": made, "usage": usage.json()}

    def _choice(self, index: int, text: str, tokens: tuple[TextToken, ...], finish_reason: str | None) -> Json:
        logprobs = self._logprobs(index, tokens) if self._with_logprobs else None
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}

    def _logprobs(self, index: int, tokens: tuple[TextToken, ...]) -> Json:
        start = len(self._echoes[index])
        return {
            "tokens": [_key(token) for token in tokens],
            "token_logprobs": [_logprob(token) for token in tokens],
            "top_logprobs": [_by_key(token) for token in tokens],
            "text_offset": [start + token.offset for token in tokens],
        }


def _chat_logprobs(tokens: tuple[TextToken, ...] | list[TextToken]) -> Json:
    content = [{**_entry(token), "top_logprobs": [_entry(top) for top in token.top_logprobs]} for token in tokens]
    return {"content": content, "refusal": None}


def _entry(token: TopLogprob) -> Json:
    return {"token": _spelling(token), "logprob": _logprob(token), "bytes": list(token.bytes) or None}


def _by_key(token: TextToken) -> dict[str, float]:
    """The likeliest tokens and, as at OpenAI, always the chosen one."""
    found: dict[str, float] = {}
    # Tokens with the same text share a key; it keeps the likeliest, which is the first.
    for candidate in (*token.top_logprobs, token):
        found.setdefault(_key(candidate), _logprob(candidate))
    return found


def _key(token: TopLogprob) -> str:
    """The token's text; OpenAI's `bytes:\\xe2\\x80` for one that is not whole characters, so that keys differ."""
    spelling = _spelling(token)
    return spelling if spelling == token.text else f"bytes:{spelling}"


def _spelling(token: TopLogprob) -> str:
    """The token's text; bytes that are not a whole character look like `\\xe2`."""
    return token.bytes.decode("utf-8", "backslashreplace") if token.bytes else token.text


def _logprob(token: TopLogprob) -> float:
    """The log-probability. JSON has no infinity: an impossible token has OpenAI's number for it."""
    return max(token.logprob, _IMPOSSIBLE)
