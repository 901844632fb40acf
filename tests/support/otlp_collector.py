"""A collector at wire level: takes OTLP over HTTP, and decodes it with OpenTelemetry's own protobuf.

It answers as it is told to, so it shows what a real one does only on a bad day. A real one is `tests/support/rotel.py`.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

LIMIT_S = 20.0
_REQUESTS: Mapping[str, type[Any]] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


@dataclass
class Collector:
    """url: where it is. refusals: with which it answers first, status and headers. asked: path and headers of each
    request, its refused ones too. received: what it took, decoded. holds: whether it answers nothing at all. answers:
    what it says of those that it takes, encoded.
    """

    url: str = ""
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    received: list[Any] = field(default_factory=list)
    holds: bool = False
    answers: list[bytes] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _released: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        with self._news:
            self.asked.append((path, headers))
            self._news.notify_all()
            if self.refusals:
                return self.refusals.pop(0)
            if not self.holds:
                data = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
                self.received.append(_REQUESTS[path].FromString(data))
                self._news.notify_all()
                return 200, {}
        self._released.wait(LIMIT_S)
        return 503, {}

    def spans(self) -> list[Any]:
        """Every span so far."""
        return [
            span
            for request in self._of(ExportTraceServiceRequest)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def logs(self) -> list[Any]:
        """Every line of a log so far."""
        return [
            line
            for request in self._of(ExportLogsServiceRequest)
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for line in scope.log_records
        ]

    def metrics(self) -> dict[str, Any]:
        """The metrics of the last request, by name."""
        found = self._of(ExportMetricsServiceRequest)
        last = found[-1].resource_metrics[0].scope_metrics[0].metrics if found else ()
        return {metric.name: metric for metric in last}

    def resource(self) -> dict[str, Any]:
        """What is told of who sends the spans."""
        request = self._of(ExportTraceServiceRequest)[0]
        return values_of(request.resource_spans[0].resource.attributes)

    def until(self, what: Any, *, asks: bool = False) -> Any:
        """What a function finds, once that is something. asks: also while everything is refused."""
        with self._news:
            found = self._news.wait_for(what, LIMIT_S)
        assert found, (f"nothing came: {self.asked}", asks)
        return found

    def release(self) -> None:
        self._released.set()

    def _of(self, kind: type[Any]) -> list[Any]:
        return [request for request in self.received if isinstance(request, kind)]


def values_of(attributes: Any) -> dict[str, Any]:
    """Attributes as plain values."""
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None


@contextmanager
def collector(port: int = 0) -> Iterator[Collector]:
    """A running one."""
    taking = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, sent = taking.take(self.path, headers, self.rfile.read(int(headers["content-length"])))
            self.send_response(status)
            body = taking.answers.pop(0) if status == 200 and taking.answers else b""
            for name, value in {"content-length": str(len(body)), **sent}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Whoever asked has left."""

    server = Server(("127.0.0.1", port), Handler)
    taking.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield taking
    finally:
        taking.release()
        server.shutdown()
        server.server_close()
        thread.join()
