"""A conversation is made shorter without being answered, and kept as a response that can be continued."""

from __future__ import annotations

from runtime.apis.inference.sense import making_sense
from runtime.apis.responses.compaction import CompactRequest
from runtime.apis.responses.request import CreateResponseRequest
from runtime.errors import RequestError
from runtime.ids import new_position
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.compacting import compaction
from runtime.providers.responses.builtin.history import History
from runtime.providers.responses.builtin.keeping import Kept
from runtime.providers.responses.builtin.messages import messages_of
from runtime.providers.responses.builtin.preparing import Preparing
from runtime.providers.responses.builtin.refused import items_not_refused
from runtime.providers.responses.builtin.shown import new_response
from runtime.providers.responses.builtin.summarizing import summarize
from runtime.sse import Reply

_SAME = ("model", "instructions", "previous_response_id", "store", "service_tier", "prompt_cache_key", "guardrails")


async def compact(request: CompactRequest, preparing: Preparing, kept: Kept) -> Reply:
    """Raises NotFound and RequestError for what is wrong with the history, SummaryRefused, what the model's provider
    raises, Unavailable.
    """
    position = new_position()
    same = {name: value for name in _SAME if (value := getattr(request, name)) is not None}
    answering = Answering(new_response(CreateResponseRequest(**same), position), position, streams=False)
    read = await preparing.read(request, kept.mine(), position)
    messages = messages_of(read.items, opened=read.opened)
    if not messages:
        raise RequestError("There is nothing to compact: neither `input` nor anything before it", param="input")
    asked = {**same, "store": False}
    summary = await summarize(messages, asked, preparing.inference, wishes=request.instructions or "")
    items = items_not_refused(read.history.items)
    answering.output.extend(item for item in items if item["type"] == "message" and item["role"] != "assistant")
    answering.output.append(compaction((await preparing.seal()).close(summary.text), answering))
    with making_sense("responses"):
        answering.count(summary.usage or {"total_tokens": 0})
    answering.complete()
    if request.store is not False:
        await kept.keep(answering, History(own=[], readings=read.history.readings))
    response = answering.response
    shown = {name: response[name] for name in ("id", "created_at", "output", "usage")}
    return Reply.of({**shown, "object": "response.compaction"})
