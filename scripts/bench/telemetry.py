"""What telemetry costs a chat.

Run: `.venv/bin/python -m scripts.bench.telemetry [--rounds N]`. First the microseconds that each part of it takes, the
least of many tries, so without what else the machine does. Then a server's CPU for each chat through a mock upstream:
without telemetry, with metrics alone, and with traces that are kept as well; for the smallest chat there is, whose
answer comes in one piece at once, and for one whose answer is streamed as a model writes it. Budget: less than 5 %.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runtime.access import EVERYBODY
from runtime.apis._api import Api
from runtime.apis.inference.chat import ChatCompletionRequest
from runtime.apis.inference.protocol import Inference
from runtime.clock import machine_time
from runtime.providers.telemetry.builtin.rows import columns_of
from runtime.providers.telemetry.builtin.shapes import Shapes
from runtime.sse import Reply
from runtime.telemetry.alike import Batch
from runtime.telemetry.attempts import end_attempt
from runtime.telemetry.batching import AT_ONCE
from runtime.telemetry.calls import TracedCalls
from runtime.telemetry.last_hour import LastHour
from runtime.telemetry.metrics.of_spans import SpanMetrics
from runtime.telemetry.requests import begin_request, end_request
from runtime.telemetry.spans import Span, begin, inside, reset_current, set_current
from scripts.bench import load, measure, servers
from scripts.bench.gateway import CHAT, PATH
from scripts.bench.servers import Server
from scripts.bench.upstream import PACED_EVENTS

_TIMES, _TRIES = 2000, 30
_ANSWER = Reply.of({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "burst",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 40}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 40, "total_tokens": 52},
})  # fmt: skip
_KEPT = {"telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}]}
_SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "off": ({}, {"enabled": False}),
    "metrics": ({}, {"metrics": True}),
    "traces and metrics": (_KEPT, {}),
    "traces alone": (_KEPT, {"metrics": False}),
}


@dataclass(frozen=True)
class _Load:
    model: str
    more: dict[str, Any]
    events: int
    requests: int
    connections: int


_LOADS = {
    "one piece": _Load("burst", {}, 0, 3000, 16),
    "streamed": _Load("paced", {"stream": True}, PACED_EVENTS, 256, 64),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"{measure.machine()}; {options.rounds} rounds\n")
    parts = asyncio.run(_parts_us())
    print(measure.table(("part", "us a chat"), [(name, f"{us:.2f}") for name, us in parts.items()]))
    print(f"\nall of them: {sum(parts.values()):.1f} us\n")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mock = stack.enter_context(servers.mock(folder))
        running = {name: stack.enter_context(_served(folder, mock, *settings)) for name, settings in _SETTINGS.items()}
        for kind, asked in _LOADS.items():
            subjects = {name: _measured(server, asked) for name, server in running.items()}
            for once in subjects.values():
                once()
            found = measure.interleaved(subjects, rounds=options.rounds)
            rows = [
                (name, measure.spread(costs, 1), measure.spread(measure.ratios(costs, found["off"]), 3))
                for name, costs in found.items()
            ]
            print(measure.table((f"telemetry, {kind}", "CPU us a chat", "times off"), rows) + "\n")


def _served(folder: Path, mock: str, more: dict[str, Any], section: dict[str, Any]) -> Any:
    return servers.of_this_tree(folder, {"inference": [servers.openai_provider(mock)], **more}, telemetry=section)


def _measured(server: Server, asked: _Load) -> Callable[[], float]:
    body = {"model": f"{server.model_prefix}{asked.model}", **CHAT, **asked.more}
    work = load.Work(path=PATH, body=body, events=asked.events)

    def once() -> float:
        before = measure.threads_cpu_s(server.pid)
        load.put(replace(work), server.port, requests=asked.requests, connections=asked.connections)
        return (measure.threads_cpu_s(server.pid) - before) * 1e6 / asked.requests

    return once


async def _parts_us() -> dict[str, float]:
    """What telemetry does for one chat, part by part, each as it is done by itself: the least of many tries."""
    processor, adapter = _Held(), _Adapter()
    door = TracedCalls(Api("inference", Inference), "openai", "remote::openai", is_remote=True).door(adapter)
    request = ChatCompletionRequest.model_validate({"model": "burst", **CHAT})

    def of_request() -> None:
        span = _begin(processor)
        reset_current(set_current(span))
        end_request(span, "POST", PATH, "http", PATH, 200, 0.3, 0.1)

    def attempt() -> None:
        span = begin("POST", {}, "client")
        assert span is not None
        reset_current(set_current(span))
        end_attempt(span, "POST", "http://127.0.0.1:8000/v1/chat/completions", 200)

    async def call() -> None:
        await door.chat_completion(request)

    async def plain() -> None:
        await adapter.chat_completion(request)

    async def chat() -> None:
        with inside(_begin(processor)) as span:
            await call()
            attempt()
        assert span is not None
        end_request(span, "POST", PATH, "http", PATH, 200, 0.3, 0.1)

    found = {"the request": await _least_us(of_request)}
    with inside(_begin(processor)):
        found["the provider's call"] = await _least_us(call) - await _least_us(plain)
        found["the attempt"] = await _least_us(attempt)
    processor.ended = []
    for _ in range(AT_ONCE // 3):
        await chat()
    spans = processor.ended
    metrics, hour, shapes = SpanMetrics(), LastHour(), Shapes(machine_time)
    untold = [span.untold for span in spans]

    def tell() -> None:
        for span, what in zip(spans, untold, strict=True):
            span.own, span.shape, span.untold = {}, None, what
            span.tell()

    def put_together(batch: Batch) -> None:
        for one in batch.alike(()):
            assert one.seconds and one.seconds_sorted

    batch = Batch(spans)
    batches: Mapping[str, Callable[[], Any]] = {
        "told": tell,
        "put together": lambda: put_together(Batch(spans)),
        "counted for metrics": lambda: metrics.export(batch, 0.0),
        "counted for the last hour": lambda: hour.export(batch, 0.0),
        "made rows": lambda: columns_of(spans, 0.0, shapes),
    }
    for name, export in batches.items():
        found[name] = await _least_us(export, times=20) / (AT_ONCE // 3)
    return found


async def _least_us(work: Callable[[], Any], *, times: int = _TIMES) -> float:
    tries = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        for _ in range(times):
            if (waits := work()) is not None and inspect.isawaitable(waits):
                await waits
        tries.append((time.perf_counter() - began) * 1e6 / times)
    return min(tries)


def _begin(processor: _Held) -> Span:
    return begin_request(processor, "req_1", EVERYBODY, None)


class _Held:
    """Implements `SpanProcessor`."""

    sampler = None

    def __init__(self) -> None:
        self.ended: list[Span] = []

    def on_end(self, span: Span) -> None:
        if len(self.ended) >= AT_ONCE:
            self.ended = []
        self.ended.append(span)


class _Adapter:
    async def chat_completion(self, _: ChatCompletionRequest) -> Reply:
        return _ANSWER


if __name__ == "__main__":
    main()
