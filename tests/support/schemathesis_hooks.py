"""Loaded by schemathesis: reads a stream of ours as its events' JSON, and holds it to how a stream ends.

Schemathesis would take the schema for that of the event with its `data` still a text. Ours is that of the JSON in it,
as in OpenAI's own document: OpenAPI 3.1 has no way to say both.
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis

DONE = "[DONE]"


@schemathesis.deserializer("text/event-stream")
def events(context: schemathesis.DeserializationContext, response: schemathesis.Response) -> list[Any]:
    """The JSON of each event of a stream, except of an error at its end.

    Raises ValueError for a stream that does not end as documented.
    """
    blocks = response.content.decode().split("\n\n")
    if blocks.pop() != "":
        raise ValueError("the last event has no end")
    payloads = [
        line.removeprefix("data: ") for block in blocks for line in block.split("\n") if line.startswith("data: ")
    ]
    documented = context.operation.definition.raw["responses"]["200"]["description"]
    if payloads and (payloads[-1] == DONE or _is_error(payloads[-1])):
        payloads.pop()
    elif DONE in documented:
        raise ValueError(f"it ends neither with {DONE} nor with an error: {payloads[-1:]}")
    return [json.loads(payload) for payload in payloads]


def _is_error(payload: str) -> bool:
    """Whether it is an error in OpenAI's shape, or in that of `tests/support/examples/bell.py`."""
    return not {"error", "dong"}.isdisjoint(json.loads(payload))
