"""Loaded by schemathesis: reads a stream of ours as its events' JSON, and holds it to how a stream ends.

Schemathesis would take the schema for that of the event with its `data` still a text. Ours is that of the JSON in it,
as in OpenAI's own document: OpenAPI 3.1 has no way to say both.
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.deserializer("text/event-stream")
def events(context: schemathesis.DeserializationContext, response: schemathesis.Response) -> list[Any]:
    """The JSON of each event. Raises ValueError for a stream that does not end as documented."""
    blocks = response.content.decode().split("\n\n")
    if blocks.pop() != "":
        raise ValueError("the last event has no end")
    payloads = [
        line.removeprefix("data: ") for block in blocks for line in block.split("\n") if line.startswith("data: ")
    ]
    if not payloads:
        raise ValueError("there is no event")
    last = payloads.pop()
    if last != "[DONE]" and "error" not in json.loads(last):
        raise ValueError(f"it ends neither with [DONE] nor with an error: {last}")
    return [json.loads(payload) for payload in payloads]
