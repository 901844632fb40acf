"""`GET /metrics` for Prometheus: before the routes of the APIs."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator

from runtime.context import current
from runtime.server.asgi import HTTP, App, Receive, Scope, Send
from runtime.server.ongoing import Ongoing
from runtime.server.probes import is_scrape
from runtime.stack.gauges import gauges_of
from runtime.stack.stack import Stack
from runtime.telemetry.metrics.instruments import Instrument, Observed
from runtime.telemetry.metrics.of_spans import SpanMetrics
from runtime.telemetry.metrics.prometheus import exposition, wanted


class MetricsRoute:
    """Answers for metrics, and leaves everything else to the application."""

    def __init__(self, app: App, metrics: SpanMetrics) -> None:
        self._app = app
        self._metrics = metrics

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """What answers, as it is: one more coroutine would be one more in each request."""
        if scope["type"] == HTTP and is_scrape(scope):
            return self._answer(send)
        return self._app(scope, receive, send)

    async def _answer(self, send: Send) -> None:
        content_type = wanted(current().request_headers.get(b"accept", b"").decode("latin-1"))
        body = await exposition(self._metrics.instruments, content_type)
        headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def with_metrics(app: App, metrics: SpanMetrics, stack: Stack, ongoing: Ongoing) -> App:
    """The application of a stack, with its metrics, which watch both from now on."""
    metrics.watch([*gauges_of(stack), *_in_progress(ongoing)])
    return MetricsRoute(app, metrics)


def _in_progress(ongoing: Ongoing) -> Iterator[Instrument]:
    yield Observed(
        "llama_stack.concurrent_requests",
        "{request}",
        "Requests that are being answered.",
        (),
        lambda: [((), len(ongoing.answers))],
    )
