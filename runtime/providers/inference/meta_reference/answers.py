"""The engine's text in OpenAI's shapes: chunks, whole answers, log-probabilities, usage. Knows dicts; no HTTP.

https://platform.openai.com/docs/api-reference/chat/object and /completions/object.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from runtime.clock import stamp
from runtime.engine.text.answer_parts import CallArguments, CallStart, Content, Part, Reasoning
from runtime.engine.text.answer_reader import AnswerReader
from runtime.engine.text.text_stream import TextOutput, TextToken, TopLogprob
from runtime.ids import new_id
from runtime.providers.inference.meta_reference.usage import Usage
from runtime.sse import Json

_IMPOSSIBLE = -9999.0
"""What OpenAI shows for a log-probability of minus infinity. https://platform.openai.com/docs/api-reference/chat/object"""


class Shape(Protocol):
    """How an endpoint writes its answers: chat completions or completions."""

    def opening(self, choice: int, output: TextOutput) -> Json | None:
        """The first chunk of a choice, before its first `output`; None where there is none."""

    def chunks(self, choice: int, output: TextOutput, usage: Usage) -> list[Json]:
        """What `output` adds to a choice; nothing where its text is held back."""
        ...

    def whole(self, choices: list[list[TextOutput]], usage: Usage) -> Json: ...

    def usage_chunk(self, usage: Usage) -> Json: ...


class ChatShape:
    """Chat completions. model: the name in the answers. with_logprobs: whether the request asks for them.

    reader: makes what splits one choice into its parts. older_calls: a call has OpenAI's older form, `function_call`.
    """

    def __init__(
        self,
        model: str,
        *,
        with_logprobs: bool,
        reader: Callable[[], AnswerReader] = AnswerReader,
        older_calls: bool = False,
    ) -> None:
        self._with_logprobs = with_logprobs
        self._new_reader, self._readers = reader, dict[int, AnswerReader]()
        self._older_calls = older_calls
        self._head: Json = {"id": new_id("chatcmpl-"), "created": int(stamp()), "model": model}

    def opening(self, choice: int, output: TextOutput) -> Json | None:
        return self._chunk([self._choice(choice, {"role": "assistant", "content": ""}, None)])

    def chunks(self, choice: int, output: TextOutput, usage: Usage) -> list[Json]:
        made = [self._choice(choice, self._delta(part), None) for part in self._parts(choice, output, usage)]
        if not made and (output.tokens or output.finish_reason is not None):
            made = [self._choice(choice, {}, None)]
        if made:
            made[-1]["finish_reason"] = self._finish_reason(choice, output)
            if self._with_logprobs:
                made[0]["logprobs"] = _chat_logprobs(output.tokens)
        return [self._chunk([one]) for one in made]

    def usage_chunk(self, usage: Usage) -> Json:
        return {**self._chunk([]), **usage.facts()}

    def whole(self, choices: list[list[TextOutput]], usage: Usage) -> Json:
        made = []
        for index, outputs in enumerate(choices):
            parts = [part for output in outputs for part in self._parts(index, output, usage)]
            tokens = [token for output in outputs for token in output.tokens]
            made.append(
                {
                    "index": index,
                    "message": self._message(parts),
                    "logprobs": _chat_logprobs(tokens) if self._with_logprobs else None,
                    "finish_reason": self._finish_reason(index, outputs[-1]),
                }
            )
        return {**self._head, "object": "chat.completion", "choices": made, **usage.facts()}

    def _parts(self, choice: int, output: TextOutput, usage: Usage) -> list[Part]:
        reader = self._readers.get(choice) or self._readers.setdefault(choice, self._new_reader())
        parts = reader.push(output.text)
        if output.finish_reason is not None:
            parts += reader.finish()
        if any(isinstance(part, Reasoning) for part in parts):
            usage.reasoning_tokens[choice] = output.completion_tokens
        return parts

    def _finish_reason(self, choice: int, output: TextOutput) -> str | None:
        reader = self._readers[choice]
        # A stop string may cut the arguments off: the client must not take them for whole.
        if output.finish_reason == "stop" and reader.calls and not reader.is_in_call:
            return "function_call" if self._older_calls else "tool_calls"
        return output.finish_reason

    def _delta(self, part: Part) -> Json:
        match part:
            case Content(text):
                return {"content": text}
            case Reasoning(text):
                return {"reasoning_content": text}
            case CallStart(index, name):
                call: Json = {"name": name, "arguments": ""}
                begun: Json = {"index": index, "id": new_id("call_"), "type": "function", "function": call}
            case CallArguments(index, text):
                call = {"arguments": text}
                begun = {"index": index, "function": call}
        return {"function_call": call} if self._older_calls else {"tool_calls": [begun]}

    def _message(self, parts: list[Part]) -> Json:
        text = "".join(part.text for part in parts if isinstance(part, Content))
        reasoning = "".join(part.text for part in parts if isinstance(part, Reasoning))
        calls = [part for part in parts if isinstance(part, CallStart)]
        message: Json = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
        if reasoning:
            message["reasoning_content"] = reasoning
        made = []
        for call in calls:
            written = (part.text for part in parts if isinstance(part, CallArguments) and part.index == call.index)
            made.append({"name": call.name, "arguments": "".join(written)})
        if made and self._older_calls:
            message["function_call"] = made[0]
        elif made:
            message["tool_calls"] = [{"id": new_id("call_"), "type": "function", "function": one} for one in made]
        return message

    def _chunk(self, choices: list[Json]) -> Json:
        return {**self._head, "object": "chat.completion.chunk", "choices": choices}

    def _choice(self, index: int, delta: Json, finish_reason: str | None) -> Json:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


class CompletionShape:
    """Completions. echoes: the prompt to put before each choice; empty for none. only_echo: nothing comes after it."""

    def __init__(self, model: str, *, with_logprobs: bool, echoes: list[str], only_echo: bool = False) -> None:
        self._with_logprobs = with_logprobs
        self._echoes = echoes
        self._only_echo = only_echo
        self._head: Json = {
            "id": new_id("cmpl-"),
            "object": "text_completion",
            "created": int(stamp()),
            "model": model,
        }

    def opening(self, choice: int, output: TextOutput) -> Json | None:
        if not self._echoes[choice]:
            return None
        return {**self._head, "choices": [self._choice(choice, self._echoes[choice], output.prompt, (), None)]}

    def chunks(self, choice: int, output: TextOutput, usage: Usage) -> list[Json]:
        (output,) = self._shown(choice, [output], usage)
        made = self._choice(choice, output.text, (), output.tokens, output.finish_reason)
        return [{**self._head, "choices": [made]}]

    def usage_chunk(self, usage: Usage) -> Json:
        return {**self._head, "choices": [], **usage.facts()}

    def whole(self, choices: list[list[TextOutput]], usage: Usage) -> Json:
        made = []
        for index, outputs in enumerate(choices):
            outputs = self._shown(index, outputs, usage)
            text = self._echoes[index] + "".join(output.text for output in outputs)
            tokens = tuple(token for output in outputs for token in output.tokens)
            made.append(self._choice(index, text, outputs[0].prompt, tokens, outputs[-1].finish_reason))
        return {**self._head, "choices": made, **usage.facts()}

    def _shown(self, choice: int, outputs: list[TextOutput], usage: Usage) -> list[TextOutput]:
        """The outputs without what is left out after an echo."""
        if not self._only_echo:
            return outputs
        usage.completion_tokens[choice] = 0
        return [replace(outputs[-1], text="", tokens=(), prompt=outputs[0].prompt, finish_reason="length")]

    def _choice(
        self,
        index: int,
        text: str,
        prompt: tuple[TextToken, ...],
        tokens: tuple[TextToken, ...],
        finish_reason: str | None,
    ) -> Json:
        logprobs = self._logprobs(index, prompt, tokens) if self._with_logprobs else None
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}

    def _logprobs(self, index: int, prompt: tuple[TextToken, ...], tokens: tuple[TextToken, ...]) -> Json:
        start = len(self._echoes[index])
        both = [*prompt, *tokens]
        return {
            "tokens": [_key(token) for token in both],
            "token_logprobs": [None if math.isnan(token.logprob) else _logprob(token) for token in both],
            "top_logprobs": [None if math.isnan(token.logprob) else _by_key(token) for token in both],
            "text_offset": [token.offset for token in prompt] + [start + token.offset for token in tokens],
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
