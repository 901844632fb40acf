"""How both kinds of generation say what guardrails look at, and how each refuses: chat by OpenAI's `refusal`, a text
completion by an empty text. Both end with the `finish_reason` `content_filter`, and have what was found as `violation`
beside their choices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from runtime.apis.inference.chat import ChatCompletionRequest
from runtime.apis.inference.completions import CompletionRequest
from runtime.errors import RequestError
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

    def context(self, request: Any) -> Conversation:
        """The conversation that an answer goes on."""
        ...

    def text(self, choice: Json) -> str:
        """The text of an answer, or of a chunk's part of it: what is thought, what is said."""
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
        """What was said from outside since the model spoke last, each with all that came before it. What the operator
        says is not judged. Raises RequestError for more than can be judged one by one.
        """
        messages = request.messages
        start = max((place + 1 for place, one in enumerate(messages) if one.get("role") == "assistant"), default=0)
        new = [place for place in range(start, len(messages)) if messages[place].get("role") in _FROM_OUTSIDE]
        if len(new) > _MOST_JUDGED:
            raise RequestError(
                f"Guardrails look at {_MOST_JUDGED} new messages at most, and these are {len(new)}",
                hint="send fewer messages after the model's last one",
                param="messages",
            )
        return [messages[: place + 1] for place in new]

    def context(self, request: ChatCompletionRequest) -> Conversation:
        return request.messages

    def text(self, choice: Json) -> str:
        message = choice.get("delta") or choice.get("message") or {}
        texts = (message.get("reasoning_content"), message.get("reasoning"), message.get("content"))
        return "".join(text for text in texts if isinstance(text, str))

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
            found.append(_said(f"{prompt}{request.suffix or ''}"))
        return found

    def context(self, request: CompletionRequest) -> Conversation:
        """Nothing: which of the prompts an answer goes on does not matter to what it says."""
        return []

    def text(self, choice: Json) -> str:
        text = choice.get("text")
        return text if isinstance(text, str) else ""

    def refused(self, choice: Json, message: str) -> Json:
        return {"index": choice.get("index", 0), "text": "", "logprobs": None, "finish_reason": "content_filter"}

    def refusing(self, index: int, message: str) -> Iterator[Json]:
        yield self.refused({"index": index}, message)


def _said(text: str) -> Conversation:
    return [{"role": "user", "content": text}]


CHAT, COMPLETION = ChatForm(), CompletionForm()
