"""Conversations made shorter: a summary, sealed in an item of its own, in place of what was answered and done.

https://developers.openai.com/api/docs/guides/compaction; of the event of its progress:
https://developers.openai.com/api/reference/resources/responses/streaming-events
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from runtime.apis.inference.protocol import Inference
from runtime.apis.inference.sense import making_sense
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.asking import chat_request
from runtime.providers.responses.builtin.counting import count
from runtime.providers.responses.builtin.sealing import Seal
from runtime.providers.responses.builtin.summarizing import SummaryRefused, Summing, ask_for_summary
from runtime.sse import EventStream, Frames, Json, Reply

_TOLD_EVERY_S = 30.0
"""How often it is said that a summary grows, at most."""


@dataclass(frozen=True, kw_only=True)
class Compacting:
    """Compacts a conversation before the model is asked, if it is longer than `threshold` tokens. messages: those of
    the conversation with this item at its end. clock: in seconds.
    """

    threshold: int
    inference: Inference
    seal: Seal
    messages: Callable[[Json], Sequence[Json]]
    clock: Callable[[], float] = time.monotonic

    async def begin(self, settings: Json, messages: list[Json], *, streams: bool) -> Reply | EventStream | None:
        """Ask for a summary, which `compact` reads. settings, messages: of a chat completion. None if it is short
        enough, or if there is nothing but the user's messages. Raises what the model's provider raises.
        """
        if not any(message["role"] in ("assistant", "tool") for message in messages):
            return None
        if (await count(chat_request(settings, messages, stream=False), self.inference)).tokens <= self.threshold:
            return None
        return await ask_for_summary(messages, settings, self.inference, streams=streams)

    async def compact(
        self, answer: Reply | EventStream, messages: list[Json], answering: Answering
    ) -> AsyncGenerator[Frames, None]:
        """The events of a compaction, which comes into the output with the first of its summary. answer: of `begin`.
        messages: replaced by what the model reads instead. Raises what the model's provider raises; then there is no
        compaction. Raises SummaryRefused: one that had begun then stands for nothing.
        """
        item = compaction("", answering)
        place = None
        try:
            summing = Summing()
            told = self.clock()
            async for read in _reads(answer):
                grows = summing.hear(read)
                if grows and place is None:
                    place = answering.add(item)
                elif grows and self.clock() - told >= _TOLD_EVERY_S:
                    told = self.clock()
                    fields = {"item_id": item["id"], "output_index": place}
                    answering.event("response.compaction.compacting", fields)
                if frames := answering.take():
                    yield frames
            summary = summing.end()
            with making_sense("responses"):
                answering.count(summary.usage)
        except SummaryRefused:
            if place is not None:
                answering.done(place)
            raise
        except BaseException:
            if place is not None:
                answering.output.remove(item)  # one without its summary could not be continued
            raise
        finally:
            if isinstance(answer, EventStream):
                await answer.aclose()
        assert place is not None, "a summary has text"
        item["encrypted_content"] = self.seal.close(summary.text)
        answering.done(place)
        messages[:] = self.messages(item)
        if frames := answering.take():
            yield frames


def compaction(sealed: str, answering: Answering) -> Json:
    """The item that holds a summary. sealed: the summary, closed."""
    return answering.new_item("compaction", encrypted_content=sealed)


async def _reads(answer: Reply | EventStream) -> AsyncIterator[Reply | Frames]:
    if isinstance(answer, Reply):
        yield answer
        return
    async for read in answer:
        yield read
