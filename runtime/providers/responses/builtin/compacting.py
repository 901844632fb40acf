"""Conversations made shorter: a summary, sealed in an item of its own, in place of what was answered and done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runtime.apis.inference import Inference
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.asking import chat_request
from runtime.providers.responses.builtin.counting import count
from runtime.providers.responses.builtin.sealing import Seal
from runtime.providers.responses.builtin.summarizing import Summary, summarize
from runtime.sse import Json


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """item: the compaction. usage: what its summary took. messages: what the model reads instead."""

    item: Json
    usage: Json | None
    messages: Sequence[Json]

    def tell(self, answering: Answering) -> None:
        """Put it into the output."""
        answering.count(self.usage)
        answering.done(answering.add(self.item))


@dataclass(frozen=True, kw_only=True)
class Compacting:
    """Compacts a conversation before the model is asked, if it is longer than `threshold` tokens. messages: those of
    the conversation with this item at its end.
    """

    threshold: int
    inference: Inference
    seal: Seal
    messages: Callable[[Json], Sequence[Json]]

    async def compacted(self, settings: Json, messages: list[Json], answering: Answering) -> Compacted | None:
        """settings, messages: of a chat completion. None if it is short enough, or if there is nothing but the user's
        messages. Raises what the model's provider raises.
        """
        if not any(message["role"] in ("assistant", "tool") for message in messages):
            return None
        if (await count(chat_request(settings, messages, stream=False), self.inference)).tokens <= self.threshold:
            return None
        summary = await summarize(messages, settings, self.inference)
        item = compaction(summary, self.seal, answering)
        return Compacted(item=item, usage=summary.usage, messages=self.messages(item))


def compaction(summary: Summary, seal: Seal, answering: Answering) -> Json:
    """The item that holds a summary."""
    return {"type": "compaction", "id": answering.new_id("cmp_"), "encrypted_content": seal.close(summary.text)}
