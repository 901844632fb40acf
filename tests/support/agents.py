"""A session of an agent, asked as clients of llama-stack before 0.4 do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from runtime.conformance.asgi import Client
from runtime.conformance.upstream import CHAT_MODEL

MODEL = f"vendor/{CHAT_MODEL}"
USER = {"role": "user", "content": "Name a colour"}


@dataclass
class Session:
    """A session of an agent, as a client sees it."""

    client: Client
    agent: str
    path: str

    async def turn(self, *messages: dict[str, Any], **fields: Any) -> Any:
        answer = await self.client.post(f"{self.path}/turn", {"messages": list(messages) or [USER], **fields})
        assert answer.status == 200, answer.body
        return answer.json()

    async def events(self, *messages: dict[str, Any], path: str = "/turn", **fields: Any) -> list[Any]:
        """The payloads of the events of a turn, or of what goes on with it."""
        body = fields if path != "/turn" else {"messages": list(messages) or [USER], **fields}
        answer = await self.client.post(self.path + path, {**body, "stream": True})
        assert answer.status == 200 and b"[DONE]" not in answer.body, answer.body
        told = [json.loads(payload) for payload in answer.payloads()]
        return [one["event"]["payload"] if "event" in one else one for one in told]

    async def get(self, path: str = "") -> Any:
        answer = await self.client.get(self.path + path)
        assert answer.status == 200, answer.body
        return answer.json()


async def begun(client: Client, **config: Any) -> Session:
    """A session of a new agent."""
    given = {"model": MODEL, "instructions": "Be brief.", **config}
    agent = (await client.post("/v1/agents", {"agent_config": given})).json()["agent_id"]
    session = (await client.post(f"/v1/agents/{agent}/session", {"session_name": "one"})).json()["session_id"]
    return Session(client, agent, f"/v1/agents/{agent}/session/{session}")


def kinds(events: list[Any]) -> list[str]:
    """What the events are, without those in the middle of a step."""
    named = [f"{one['event_type']} {one.get('step_type', '')}".strip() for one in events]
    return [one for one in named if not one.startswith("step_progress")]
