"""What a turn of an agent costs beside the response that it is: both streamed, kept and continued as often.

Run: `.venv/bin/python -m scripts.bench.agents [--rounds N]`. The server is `runtime.server` of this environment, with
SQLite on this disk; the mock upstream and the clients are other processes and threads that do not count.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from scripts.bench import in_chats, measure, servers
from scripts.bench.in_chats import cpu_us

_MODEL, _QUESTION, _INSTRUCTIONS = "openai/burst", "What is the capital of France?", "Answer in one sentence."
_CLIENTS, _CHAINS, _TURNS = 8, 16, 5
_BUDGETS = {"turn of an agent": "", "response": ""}


def main() -> None:
    options = in_chats.arguments(__doc__).parse_args()
    with in_chats.bench() as bench:
        ours = bench.serve({"inference": [servers.openai_provider(bench.upstream)]}, apis=["inference", "agents"])
        limits = httpx.Limits(max_connections=_CLIENTS)
        with httpx.Client(base_url=f"http://127.0.0.1:{ours.port}", timeout=60, limits=limits) as client:
            config = {"model": _MODEL, "instructions": _INSTRUCTIONS}
            agent = client.post("/v1/agents", json={"agent_config": config}).json()["agent_id"]
            fresh = [_sessions(client, agent) for _ in range(options.rounds + 1)]
            chains: dict[str, Callable[[], object]] = {
                "turn of an agent": lambda: _each(lambda path: _turns(client, path), fresh.pop()),
                "response": lambda: _each(lambda _: _responses(client), [None] * _CHAINS),
            }
            count = _CHAINS * _TURNS
            subjects = {name: (lambda work=work: cpu_us(ours, count, work)) for name, work in chains.items()}
            found = bench.compare(subjects, _BUDGETS, rounds=options.rounds)
        beside = measure.ratios(found["turn of an agent"], found["response"])
        print(f"\nA turn of an agent is {measure.spread(beside)} responses; the budget is 1.3.")


def _each(work: Callable[[Any], object], those: list[Any]) -> None:
    with ThreadPoolExecutor(_CLIENTS) as pool:
        list(pool.map(work, those))


def _sessions(client: httpx.Client, agent: str) -> list[str]:
    """The paths of new sessions."""
    path = f"/v1/agents/{agent}/session"
    return [f"{path}/{client.post(path, json={'session_name': 'bench'}).json()['session_id']}" for _ in range(_CHAINS)]


def _turns(client: httpx.Client, path: str) -> None:
    body = {"messages": [{"role": "user", "content": _QUESTION}], "stream": True}
    for _ in range(_TURNS):
        last = _last(client, f"{path}/turn", body)
        assert last["event"]["payload"]["event_type"] == "turn_complete", last


def _responses(client: httpx.Client) -> None:
    asked = {"model": _MODEL, "input": _QUESTION, "instructions": _INSTRUCTIONS, "stream": True, "temperature": 0}
    for _ in range(_TURNS):
        last = _last(client, "/v1/responses", asked)
        assert last["type"] == "response.completed", last
        asked["previous_response_id"] = last["response"]["id"]


def _last(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    """The last event of a stream."""
    answer = client.post(path, json=body)
    answer.raise_for_status()
    return json.loads(answer.text.rstrip().rpartition("data: ")[2])


if __name__ == "__main__":
    main()
