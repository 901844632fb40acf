"""What a conversation comes down to, in the words of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis.inference.guardrails import violation_in
from runtime.apis.inference.protocol import Inference
from runtime.apis.inference.sense import making_sense, text_of
from runtime.errors import RequestError, UpstreamError
from runtime.providers.responses.builtin.asking import chat_request
from runtime.providers.responses.builtin.refused import without_refused
from runtime.sse import EventStream, Frames, Json, Reply

_TASK = (
    "You summarise a conversation between a user and an assistant for an assistant that will go on with it. That one"
    " reads the user's messages and your summary, and nothing else. Write what the assistant answered and did, what"
    " tools gave back, which facts, names, numbers and decisions are still needed, and what remains to be done. Write"
    " the summary alone; do not answer the user."
)
_SAME = (
    "model", "store", "service_tier", "safety_identifier", "prompt_cache_key", "user", "reasoning_effort", "guardrails",
)  # fmt: skip
"""The settings of a chat completion that are those of its summary too."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """usage: as chat completions have it; None where the provider does not count."""

    text: str
    usage: Json | None


class SummaryRefused(RequestError):
    """A shield has found something in the conversation or in the summary. answer: the refusal, as a chat completion."""

    def __init__(self, violation: Json, usage: Json | None) -> None:
        super().__init__(
            f"The conversation is not summarised: {violation['user_message']}",
            hint=f"the shield `{violation.get('shield_id')}` has found something in it",
            param="input",
            code="content_filter",
        )
        message = {"role": "assistant", "content": None, "refusal": violation["user_message"]}
        choice = {"index": 0, "message": message, "finish_reason": "content_filter"}
        self.answer = Reply.of({"choices": [choice], "violation": violation, "usage": usage})


async def ask_for_summary(
    messages: Sequence[Any], settings: Json, inference: Inference, *, wishes: str = "", streams: bool = False
) -> Reply | EventStream:
    """What `Summing` reads. messages, settings: of a chat completion. wishes: what else is to be observed. Raises what
    the model's provider raises.
    """
    asked = [
        {"role": "system", "content": f"{_TASK}\n\n{wishes}".rstrip()},
        {"role": "user", "content": "The conversation:\n\n" + "\n\n".join(_told(messages)) + "\n\nThe summary:"},
    ]
    same = {name: settings[name] for name in _SAME if name in settings}
    return await inference.chat_completion(chat_request(same, asked, stream=streams))


class Summing:
    """A summary as it comes, chunk by chunk or as a whole answer."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._usage: Json | None = None
        self._violation: Json | None = None

    def hear(self, read: Reply | Frames) -> bool:
        """A whole answer, or one read of a stream. Returns whether there is more of the summary. Raises UpstreamError
        for what makes no sense.
        """
        before = len(self._texts)
        with making_sense("responses"):
            for chunk in [read.value()] if isinstance(read, Reply) else read.events():
                self._add(chunk)
        return len(self._texts) > before

    def _add(self, chunk: Json) -> None:
        self._usage = chunk.get("usage") or self._usage
        self._violation = violation_in(chunk) or self._violation
        for choice in chunk.get("choices") or ():
            if not choice.get("index") and (
                text := text_of((choice.get("delta") or choice.get("message") or {}).get("content"))
            ):
                self._texts.append(text)

    def end(self) -> Summary:
        """Raises SummaryRefused, and UpstreamError for one without text."""
        if self._violation is not None:
            raise SummaryRefused(self._violation, self._usage)
        text = "".join(self._texts).strip()
        if not text:
            raise UpstreamError(
                "The model was to summarise the conversation, and wrote nothing", provider_id="responses"
            )
        return Summary(text=text, usage=self._usage)


async def summarize(messages: Sequence[Any], settings: Json, inference: Inference, *, wishes: str = "") -> Summary:
    """The whole summary. Raises what `ask_for_summary` and `Summing.end` raise."""
    answer = await ask_for_summary(messages, settings, inference, wishes=wishes)
    assert isinstance(answer, Reply), "no stream was asked for"
    summing = Summing()
    summing.hear(answer)
    return summing.end()


def _told(messages: Sequence[Any]) -> Iterator[str]:
    """One text for everything that was said and done. Images are only named."""
    for message in without_refused(messages):
        content = message.get("content") or message.get("refusal") or ""
        if isinstance(content, list):
            content = "\n".join(part.get("text") or "[an image]" for part in content)
        if content:
            yield f"{message['role']}: {content}"
        for call in message.get("tool_calls") or ():
            yield f"{message['role']} calls: {call['function']['name']}({call['function']['arguments']})"
