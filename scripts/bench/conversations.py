"""What conversations cost, as multiples of one plain chat through the floor.

Run: `.venv/bin/python -m scripts.bench.conversations [--rounds N]`. The server is `runtime.server` of this environment
with its tables in SQLite in a temporary folder, so on this disk, and the mock upstream behind it. What is added is on
disk before it is answered. A response in a conversation of 200 items is one of forty over which it grows from 160 items
to 240; it is not kept itself, and what it adds is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from scripts.bench import in_chats, load, servers
from scripts.bench.in_chats import cpu_us
from scripts.bench.servers import Server

_CONVERSATIONS = "/v1/conversations"
_MESSAGE = {"type": "message", "role": "user", "content": "What is the capital of France?"}
_RESPONSES, _HISTORY = 40, 200
_BUDGETS = {"append of an item": "2.5", f"response after {_HISTORY} items": "15"}


def main() -> None:
    options = in_chats.arguments(__doc__).parse_args()
    with in_chats.bench() as bench:
        ours = bench.serve({"inference": [servers.openai_provider(bench.upstream)]})
        listed = _of(ours, _HISTORY)

        def append(connections: int) -> float:
            work = load.Work(path=f"{_CONVERSATIONS}/{_of(ours, 0)}/items", body={"items": [_MESSAGE]})
            return cpu_us(ours, 1000, work, connections=connections)

        def page() -> float:
            work = load.Work(method="GET", path=f"{_CONVERSATIONS}/{listed}/items?limit=100")
            return cpu_us(ours, 500, work)

        def response(items: int | None) -> float:
            asked: dict[str, Any] = {"model": "openai/burst", "input": "And of Spain?", "store": False}
            if items is not None:
                asked["conversation"] = _of(ours, items - _RESPONSES)
            return cpu_us(ours, _RESPONSES, load.Work(path="/v1/responses", body=asked), connections=1)

        subjects: dict[str, Callable[[], float]] = {
            "append of an item": lambda: append(16),
            "the same, one client": lambda: append(1),
            f"page of 100 of {_HISTORY} items": page,
            "response without a history": lambda: response(None),
            f"response after {_HISTORY} items": lambda: response(_HISTORY),
        }
        bench.compare(subjects, _BUDGETS, rounds=options.rounds)


def _of(server: Server, items: int) -> str:
    """A new conversation of so many items; its id."""
    conversation = _asked(server, _CONVERSATIONS, {})["id"]
    for begun in range(0, items, 20):
        _asked(server, f"{_CONVERSATIONS}/{conversation}/items", {"items": [_MESSAGE] * min(20, items - begun)})
    return str(conversation)


def _asked(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = server.ask("POST", path, body)
    if status != 200:
        raise RuntimeError(f"{path} answered {status}: {answer[:300]!r}")
    found: dict[str, Any] = json.loads(answer)
    return found


if __name__ == "__main__":
    main()
