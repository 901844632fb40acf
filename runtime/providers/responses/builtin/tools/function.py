"""`function`: what the caller runs.

When items are read again, a `function_call` is a call of the assistant's message, and a `function_call_output` stands
behind the message with its call.
"""

from __future__ import annotations

from runtime.apis.responses.tools.function import KIND, FunctionTool
from runtime.providers.responses.builtin.offering import Asked, Function, Offer, ToolHandler
from runtime.providers.responses.builtin.transcript import Transcript
from runtime.sse import Json


async def offer(given: FunctionTool, where: str, asked: Asked) -> Offer:
    """See `Offering`. Chat completions take no null, with which OpenAI's clients fill up members here."""
    definition = {name: value for name, value in given.items() if name not in ("type", "name") and value is not None}
    return Offer(functions=[Function(kind=KIND.name, name=given["name"], definition=definition)])


def _recall(item: Json, transcript: Transcript) -> None:
    if item["type"] == "function_call":
        transcript.call(item, item["arguments"])
    else:
        transcript.answer(item)


TOOL = ToolHandler(kind=KIND, offer=offer, recall=_recall)
