"""What conversations cost, as multiples of one plain chat through the floor.

Run: `.venv/bin/python -m scripts.bench.conversations [--rounds N]`. The server is `runtime.server` of this environment
with its tables in SQLite in a temporary folder, so on this disk, and the mock upstream behind it. What is added is on
disk before it is answered. A response in a conversation of 200 items is one of forty over which it grows from 160 items
to 240; it is not kept itself, and what it adds is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from scripts.bench import environments, load, measure, servers
from scripts.bench.gateway import CHAT, PATH
from scripts.bench.servers import Server

_CONVERSATIONS = "/v1/conversations"
_MESSAGE = {"type": "message", "role": "user", "content": "What is the capital of France?"}
_ASKED = load.Work(path=PATH, body={"model": "burst", **CHAT})
_RESPONSES, _HISTORY = 40, 200
_BUDGETS = {"append of an item": "2.5", f"response after {_HISTORY} items": "15"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack:
        environments.BENCH.mkdir(parents=True, exist_ok=True)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=environments.BENCH)))
        upstream = stack.enter_context(servers.mock(folder))
        floor = stack.enter_context(servers.floor(upstream, folder))
        run_yaml = folder / "run.yaml"
        run_yaml.write_text(json.dumps(_run_config(upstream)))
        ours = stack.enter_context(servers.ours(environments.ROOT, folder, run_yaml=run_yaml))
        ours.wait_for("/v1/models/openai/burst")
        caption = measure.machine()
        listed = _of(ours, _HISTORY)

        def chat() -> float:
            return _cpu_us(floor, 2000, _ASKED, connections=16)

        def append(connections: int) -> float:
            work = load.Work(path=f"{_CONVERSATIONS}/{_of(ours, 0)}/items", body={"items": [_MESSAGE]})
            return _cpu_us(ours, 1000, work, connections=connections)

        def page() -> float:
            work = load.Work(method="GET", path=f"{_CONVERSATIONS}/{listed}/items?limit=100")
            return _cpu_us(ours, 500, work, connections=16)

        def response(items: int | None) -> float:
            asked: dict[str, Any] = {"model": "openai/burst", "input": "And of Spain?", "store": False}
            if items is not None:
                asked["conversation"] = _of(ours, items - _RESPONSES)
            return _cpu_us(ours, _RESPONSES, load.Work(path="/v1/responses", body=asked), connections=1)

        subjects: dict[str, Callable[[], float]] = {
            "floor, a chat": chat,
            "append of an item": lambda: append(16),
            "the same, one client": lambda: append(1),
            f"page of 100 of {_HISTORY} items": page,
            "response without a history": lambda: response(None),
            f"response after {_HISTORY} items": lambda: response(_HISTORY),
        }
        for once in subjects.values():
            once()
        found = measure.interleaved(subjects, rounds=options.rounds)
        print(f"{caption}; {options.rounds} rounds\n")
        print(measure.in_chats(found, "floor, a chat", _BUDGETS))


def _run_config(upstream: str) -> dict[str, Any]:
    config = {"base_url": upstream, "api_key": "x"}
    provider = {"provider_id": "openai", "provider_type": "remote::openai", "config": config}
    return {"version": 2, "distro_name": "bench", "providers": {"inference": [provider]}}


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


def _cpu_us(server: Server, count: int, work: load.Work, *, connections: int) -> float:
    """Microseconds of the server's CPU for each of so many."""
    before = measure.threads_cpu_s(server.pid)
    load.put(work, server.port, requests=count, connections=connections)
    return (measure.threads_cpu_s(server.pid) - before) * 1e6 / count


if __name__ == "__main__":
    main()
