"""Asks a stack for responses, whole and streamed, and holds every answer to the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.conformance.asgi import Client
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.conformance.upstream.scripted import Said, Script
from tests.support.response_streams import added_up, check_types_of, events_of, without_ids

Json = dict[str, Any]
MODEL = f"vendor/{CHAT_MODEL}"
WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells it.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TIME: Json = {**WEATHER, "name": "get_time"}


@dataclass(frozen=True)
class Asking:
    """client: at the stack's door. vendor: behind it."""

    client: Client
    vendor: Upstream

    def says(self, *answers: Said) -> Script:
        """From now on the vendor gives these answers."""
        self.vendor.misbehaves = script = Script(*answers)
        return script

    async def whole(self, input: Any = "Hi", **fields: Any) -> Json:
        """A response that is not streamed."""
        answered = await self.client.post("/v1/responses", {"model": MODEL, "input": input, **fields})
        assert answered.status == 200, answered.body
        response: Json = answered.json()
        check_types_of(response)
        return response

    async def streamed(self, input: Any = "Hi", **fields: Any) -> list[Json]:
        """Its events."""
        asked = {"model": MODEL, "input": input, "stream": True, **fields}
        answered = await self.client.post("/v1/responses", asked)
        assert answered.status == 200, answered.body
        assert answered.headers["content-type"].startswith("text/event-stream")
        events = events_of(answered.body)
        check_types_of(events[-1]["response"])
        return events

    async def both(self, said: Said | list[Said], input: Any = "Hi", **fields: Any) -> tuple[list[Json], Json]:
        """The events and the response; the same said whole has to come to the same."""
        answers = [said] if isinstance(said, Said) else said
        self.says(*answers)
        events = await self.streamed(input, **fields)
        self.says(*answers)
        response = await self.whole(input, **fields)
        assert without_ids(events[-1]["response"]) == without_ids(response)
        return events, response

    async def refused(self, body: Json) -> Json:
        """The error that a request is answered with, whether it asks for a stream or not."""
        found = []
        for streams in (False, True):
            answered = await self.client.post("/v1/responses", {"model": MODEL, **body, "stream": streams})
            found.append({"status": answered.status, **answered.error})
        assert found[0] == found[1]
        return found[0]

    async def kept(self, response_id: str) -> Json:
        answered = await self.client.get(f"/v1/responses/{response_id}")
        assert answered.status == 200, answered.body
        response: Json = answered.json()
        return response


def kinds(events: list[Json]) -> list[str]:
    """The events' types without their first word, each run of the same one once."""
    names = [event["type"].removeprefix("response.") for event in events]
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


def texts(response: Json) -> list[str]:
    """The text of each message in the output."""
    return [
        "".join(part.get("text", "") for part in item["content"])
        for item in response["output"]
        if item["type"] == "message"
    ]


__all__ = ["MODEL", "TIME", "WEATHER", "Asking", "added_up", "kinds", "texts"]
