"""What it costs to count spans, and what telemetry as a whole costs a chat.

Run: `.venv/bin/python -m scripts.bench.counting [--rounds N]`. First the microseconds that counting takes for the spans
of one chat (the request, the call of the provider, the attempt), as a batch of them has it. Then a server's CPU for
each chat through a mock upstream: without telemetry, with metrics alone, and with traces that are kept as well.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime.telemetry import conventions as names
from runtime.telemetry.metrics.of_spans import SpanMetrics
from runtime.telemetry.spans import Span, begin, begin_trace, inside
from scripts.bench import load, measure, servers
from scripts.bench.gateway import CHAT, PATH
from scripts.bench.servers import Server

_CHATS, _REQUESTS = 2000, 3000
_KEPT = {"telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}]}
_SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "off": ({}, {"enabled": False}),
    "metrics": ({}, {"metrics": True}),
    "traces and metrics": (_KEPT, {}),
    "traces alone": (_KEPT, {"metrics": False}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"{measure.machine()}; {options.rounds} rounds\n")
    print(f"counting the spans of a chat: {measure.spread([_counting_us() for _ in range(options.rounds)], 2)} us\n")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mock = stack.enter_context(servers.mock(folder))
        subjects = {
            name: _measured(stack.enter_context(_served(folder, mock, *settings)))
            for name, settings in _SETTINGS.items()
        }
        for once in subjects.values():
            once()
        found = measure.interleaved(subjects, rounds=options.rounds)
    rows = [
        (name, measure.spread(costs, 1), measure.spread(measure.ratios(costs, found["off"]), 3))
        for name, costs in found.items()
    ]
    print(measure.table(("telemetry", "CPU us a chat", "times off"), rows))


def _served(folder: Path, mock: str, more: dict[str, Any], section: dict[str, Any]) -> Any:
    return servers.of_this_tree(folder, {"inference": [servers.openai_provider(mock)], **more}, telemetry=section)


def _measured(server: Server) -> Callable[[], float]:
    work = load.Work(path=PATH, body={"model": f"{server.model_prefix}burst", **CHAT})

    def once() -> float:
        before = measure.threads_cpu_s(server.pid)
        load.put(replace(work), server.port, requests=_REQUESTS, connections=16)
        return (measure.threads_cpu_s(server.pid) - before) * 1e6 / _REQUESTS

    return once


def _counting_us() -> float:
    metrics, spans = SpanMetrics(), [span for _ in range(_CHATS) for span in _chat()]
    began = time.thread_time()
    asyncio.run(metrics.export(spans, 0.0))
    return (time.thread_time() - began) * 1e6 / _CHATS


class _Nobody:
    sampler = None

    def on_end(self, span: Span) -> None:
        pass


def _chat() -> list[Span]:
    """The spans of a chat, ended."""
    request = begin_trace(_Nobody(), "POST", {}, request_id="req_1")
    request.attributes = {
        names.METHOD: "POST", names.URL_PATH: PATH, names.URL_SCHEME: "http", names.REQUEST_ID: "req_1",
        names.ROUTE: PATH, names.STATUS: 200, names.OVERHEAD_MS: 0.3, names.WAITED_MS: 100.0,
    }  # fmt: skip
    with inside(request):
        call = begin("chat burst", {
            names.API: "inference", names.API_OPERATION: "chat_completion", names.PROVIDER_ID: "openai",
            names.PROVIDER_TYPE: "remote::openai", names.PROVIDER: "openai", names.OPERATION: "chat",
            names.REQUEST_MODEL: "burst", names.RESPONSE_MODEL: "burst", names.INPUT_TOKENS: 12,
            names.OUTPUT_TOKENS: 40,
        }, "client")  # fmt: skip
        with inside(call):
            attempt = begin("POST", {
                names.METHOD: "POST", names.SERVER_ADDRESS: "127.0.0.1", names.SERVER_PORT: 8000, names.STATUS: 200,
            }, "client")  # fmt: skip
    assert call is not None and attempt is not None
    for span in (attempt, call, request):
        span.end()
    return [attempt, call, request]


if __name__ == "__main__":
    main()
