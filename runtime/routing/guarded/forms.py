"""How both kinds of generation say what guardrails look at, and how each refuses: chat by OpenAI's `refusal`, a text
completion by an empty text. Both end with the `finish_reason` `content_filter`, and have what was found as `violation`
beside their choices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from runtime.apis.inference.chat import ChatCompletionRequest
from runtime.apis.inference.completions import CompletionRequest
from runtime.apis.inference.guardrails import Judged
from runtime.errors import RequestError
from runtime.routing.guarded.texts import Texts, texts_in
from runtime.sse import Json

Conversation = list[Any]
"""Chat messages, of which the last one is judged."""
_FROM_OUTSIDE = ("user", "tool", "function")
_MOST_JUDGED = 32
"""How many messages that a request adds to a conversation are judged one by one; a request with more is refused."""


class Form(Protocol):
    """whole, part: the `object` of an answer, and of a chunk of one. prefix: of an answer's id."""

    whole: str
    part: str
    prefix: str

    def asked(self, request: Any) -> list[Conversation]:
        """What is asked, as conversations to judge. Raises RequestError for what nobody can look at."""
        ...

    def choices(self, request: Any) -> int:
        """How many answers there will be."""
        ...

    def context(self, request: Any) -> Conversation:
        """The conversation that an answer goes on."""
        ...

    def begun(self, request: Any) -> Texts:
        """What the request gives as the beginning of the answer."""
        ...

    def refused(self, choice: Json, message: str) -> Json:
        """A whole answer that is refused instead."""
        ...

    def refusing(self, index: int, message: str) -> Iterator[Json]:
        """The parts of an answer that say so in a stream, the last with its end."""
        ...


class ChatForm:
    """Of chat completions."""

    whole, part, prefix = "chat.completion", "chat.completion.chunk", "chatcmpl-"

    def asked(self, request: ChatCompletionRequest) -> list[Conversation]:
        """What was said from outside since the model spoke last, and the beginning of its answer where the request
        gives that, each with all that came before it. What the operator says is not judged, unless nothing else is
        there. Raises RequestError for more than can be judged one by one.
        """
        messages, end = request.messages, _end(request)
        start = max((place + 1 for place in range(end) if messages[place].get("role") == "assistant"), default=0)
        told = [place for place, message in enumerate(messages) if _has_content(message)]
        new = [place for place in told if place >= end or (place >= start and _is_from_outside(messages[place]))]
        if len(new) > _MOST_JUDGED:
            raise RequestError(
                f"Guardrails look at {_MOST_JUDGED} new messages at most, and these are {len(new)}",
                hint="send fewer messages after the model's last one",
                param="messages",
            )
        return [messages[: place + 1] for place in new or told[-1:]]

    def choices(self, request: ChatCompletionRequest) -> int:
        return request.n or 1

    def context(self, request: ChatCompletionRequest) -> Conversation:
        return request.messages[: _end(request)]

    def begun(self, request: ChatCompletionRequest) -> Texts:
        return texts_in([{"content": message.get("content")} for message in request.messages[_end(request) :]])

    def refused(self, choice: Json, message: str) -> Json:
        said = {"role": "assistant", "content": None, "refusal": message}
        return {"index": choice.get("index", 0), "message": said, "logprobs": None, "finish_reason": "content_filter"}

    def refusing(self, index: int, message: str) -> Iterator[Json]:
        said = {"role": "assistant", "refusal": message}
        yield {"index": index, "delta": said, "logprobs": None, "finish_reason": None}
        yield {"index": index, "delta": {}, "logprobs": None, "finish_reason": "content_filter"}


class CompletionForm:
    """Of text completions."""

    whole = part = "text_completion"
    prefix = "cmpl-"

    def asked(self, request: CompletionRequest) -> list[Conversation]:
        """Each prompt. Raises RequestError for token ids, which are no text."""
        prompts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
        found = []
        for prompt in prompts:
            if not isinstance(prompt, str):
                raise RequestError(
                    "Guardrails cannot look at token ids", hint="send the prompt as text", param="prompt"
                )
            text = f"{prompt}{request.suffix or ''}"
            if text.strip():
                found.append([{"role": "user", "content": text}])
        return found

    def choices(self, request: CompletionRequest) -> int:
        prompts = request.prompt
        of_several = isinstance(prompts, list) and bool(prompts) and not isinstance(prompts[0], int)
        return (request.n or 1) * (len(prompts) if of_several else 1)

    def context(self, request: CompletionRequest) -> Conversation:
        """Nothing: which of the prompts an answer goes on does not matter to what it says."""
        return []

    def begun(self, request: CompletionRequest) -> Texts:
        return {}

    def refused(self, choice: Json, message: str) -> Json:
        return {"index": choice.get("index", 0), "text": "", "logprobs": None, "finish_reason": "content_filter"}

    def refusing(self, index: int, message: str) -> Iterator[Json]:
        yield self.refused({"index": index}, message)


def _end(request: ChatCompletionRequest) -> int:
    """Where the conversation ends: what the model is said to have said behind that begins its answer."""
    messages = request.messages
    return max((place + 1 for place, one in enumerate(messages) if one["role"] != "assistant"), default=0)


def _is_from_outside(message: Any) -> bool:
    """Whether a message is to be looked at wherever it is new."""
    return message["role"] in _FROM_OUTSIDE and not isinstance(message, Judged)


def _has_content(message: Any) -> bool:
    """Whether there is anything in a message to look at."""
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    return any(part.get("type") != "text" or part["text"].strip() for part in parts)


CHAT, COMPLETION = ChatForm(), CompletionForm()
