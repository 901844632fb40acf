"""What responses cost, as multiples of one plain chat through the floor and beside our own chat completions, and how
long they take: a turn of a loop beside the model alone, a turn with `file_search` beside two asks of the model and the
search alone, and the first byte after a long history.

Run: `.venv/bin/python -m scripts.bench.responses [--rounds N]`. The server is `runtime.server` of this environment,
with SQLite on this disk: what is stored is on it before the answer ends. The mock upstream answers in another process
that does not count, as the load does not; it embeds too, and the vectors are Chroma's. Histories are chains of
`previous_response_id`, two items in each response.
"""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx

from scripts.bench import in_chats, load, measure, servers, upstream
from scripts.bench.gateway import CHAT, PATH
from scripts.bench.in_chats import cpu_us
from scripts.bench.servers import Server
from scripts.bench.upstream import SEARCHED
from scripts.bench.vector_stores import Stores, run_config

_RESPONSES = "/v1/responses"
_QUESTION = "What is the capital of France?"
_MODEL = {"model": "openai/burst"}
_CHAT = load.Work(path=PATH, body=_MODEL | CHAT)
_ASKED: dict[str, Any] = _MODEL | {"input": _QUESTION, "temperature": 0.5}
_ITEMS, _TURNS, _TIMES, _CHUNKS = 200, 10, 200, 20_000
_BUDGETS = {
    "response": "2.5",
    "stored response": "4, and 1.3 stored chats",
    "event of a streamed response": "1.2",
    f"stored response after {_ITEMS} items": "15",
}


def main() -> None:
    options = in_chats.arguments(__doc__).parse_args()
    with in_chats.bench() as bench:
        ours = bench.serve({"inference": [servers.openai_provider(bench.upstream)]}, apis=["inference", "responses"])
        searching = bench.serve(**run_config(bench.upstream, "inline::chromadb"))
        client = bench.stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{searching.port}", timeout=60))
        store = Stores(client, searching).filled(_CHUNKS)
        subjects = _subjects(ours) | _searches(searching, store)
        found = bench.compare(subjects, _BUDGETS, rounds=options.rounds)
        beside = measure.ratios(found["stored response"], found["stored chat"])
        print(f"\nA stored response is {measure.spread(beside)} stored chats.\n")
        times = [*_times(ours), _search_times(searching, store)]
        print(measure.table(("ms of the clock", "median", "of ours", "budget"), times))


def _subjects(ours: Server) -> dict[str, Callable[[], float]]:
    """Each measures microseconds of CPU for one of its kind."""
    plain = _ASKED | {"store": False}
    after = _ASKED | {"previous_response_id": _chain(ours, _ITEMS // 2)}
    works = {
        "chat": (_CHAT, 1000),
        "stored chat": (load.Work(path=PATH, body=_MODEL | CHAT | {"store": True}), 1000),
        "response": (load.Work(path=_RESPONSES, body=plain), 1000),
        "stored response": (load.Work(path=_RESPONSES, body=_ASKED), 1000),
        f"stored response after {_ITEMS} items": (load.Work(path=_RESPONSES, body=after), 300),
    }
    events = upstream.BURST_EVENTS
    streamed = load.Work(path=_RESPONSES, body=_ASKED | {"stream": True}, events=events)
    return {
        **{name: partial(cpu_us, ours, count, work) for name, (work, count) in works.items()},
        "event of a streamed response": lambda: cpu_us(ours, 40, streamed) / events,
    }


def _searches(ours: Server, store: str) -> dict[str, Callable[[], float]]:
    """A response that searches once, and the search alone."""
    alone = load.Work(path=f"/v1/vector_stores/{store}/search", body=_search())
    return {
        f"search of {_CHUNKS}": partial(cpu_us, ours, 300, alone),
        "stored response with `file_search`": partial(
            cpu_us, ours, 300, load.Work(path=_RESPONSES, body=_searching(store))
        ),
    }


def _search() -> dict[str, Any]:
    return {"query": SEARCHED, "max_num_results": 10}


def _searching(store: str) -> dict[str, Any]:
    return _ASKED | {"model": "openai/search", "tools": [{"type": "file_search", "vector_store_ids": [store]}]}


def _times(ours: Server) -> Iterator[tuple[str, ...]]:
    """Rows of times: alternating with the model alone, through the same server."""
    connection = http.client.HTTPConnection("127.0.0.1", ours.port, timeout=60)
    turns, alone = [], []
    for number in range(_TIMES):
        if number % _TURNS == 0:
            previous = None
        began = time.perf_counter()
        _asked(connection, PATH, _MODEL | CHAT)
        alone.append(time.perf_counter() - began)
        began = time.perf_counter()
        answer = _asked(connection, _RESPONSES, _turn(number, previous))
        turns.append(time.perf_counter() - began)
        previous = answer["id"]
    yield _row("turn of a loop of 10", turns, alone, "10")

    long = _ASKED | {"stream": True, "previous_response_id": _chain(ours, _ITEMS // 2), "model": "openai/short"}
    messages = [{"role": role, "content": _QUESTION} for _, role in zip(range(_ITEMS), _roles(), strict=False)]
    short = _MODEL | CHAT | {"messages": messages, "stream": True, "model": "openai/short"}
    first, alone = [], []
    for _ in range(_TIMES):
        alone.append(_first_byte_s(connection, PATH, short))
        first.append(_first_byte_s(connection, _RESPONSES, long))
    yield _row(f"first byte after {_ITEMS} items", first, alone, "3")
    connection.close()


def _search_times(ours: Server, store: str) -> tuple[str, ...]:
    """The row of a response that searches, alternating with what it asks others for: the model twice, and the store."""
    connection = http.client.HTTPConnection("127.0.0.1", ours.port, timeout=60)
    whole, alone = [], []
    for _ in range(_TIMES):
        began = time.perf_counter()
        for _ in range(2):
            _asked(connection, PATH, _MODEL | CHAT)
        _asked(connection, f"/v1/vector_stores/{store}/search", _search())
        alone.append(time.perf_counter() - began)
        began = time.perf_counter()
        answer = _asked(connection, _RESPONSES, _searching(store))
        whole.append(time.perf_counter() - began)
        if [item["type"] for item in answer["output"]] != ["file_search_call", "message"]:
            raise RuntimeError(f"it did not search: {answer}")
    connection.close()
    return _row(f"`file_search` of {_CHUNKS} chunks", whole, alone, "10")


def _row(name: str, ours: list[float], alone: list[float], budget: str) -> tuple[str, ...]:
    took, without = measure.median(ours) * 1000, measure.median(alone) * 1000
    return name, f"{took:.2f}", f"{took - without:.2f}", budget


def _roles() -> Iterator[str]:
    return itertools.cycle(("user", "assistant"))


def _turn(number: int, previous: str | None) -> dict[str, Any]:
    """What the caller of a function sends: its output, after the call that the mock does not make."""
    call = {"type": "function_call", "call_id": f"call_{number}", "name": "get_weather", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": f"call_{number}", "output": "21 degrees"}
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    return _MODEL | {"input": [call, output], "tools": [tool], "previous_response_id": previous}


def _chain(ours: Server, length: int) -> str:
    """The last of so many stored responses, each of which continues the one before."""
    connection = http.client.HTTPConnection("127.0.0.1", ours.port, timeout=60)
    previous: str | None = None
    for _ in range(length):
        previous = _asked(connection, _RESPONSES, _ASKED | {"previous_response_id": previous})["id"]
    connection.close()
    assert previous is not None
    return previous


def _asked(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> Any:
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"POST {path}: {answer.status} {said[:500]!r}")
    return json.loads(said)


def _first_byte_s(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> float:
    content = json.dumps(body)
    began = time.perf_counter()
    connection.request("POST", path, content, {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read(1)
    took = time.perf_counter() - began
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"POST {path}: {answer.status}")
    return took


if __name__ == "__main__":
    main()
