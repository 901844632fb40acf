"""Requests to us, and our attempts to get an answer from other servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runtime.telemetry import conventions as names
from runtime.telemetry.alike import Alike
from runtime.telemetry.found import Found
from runtime.telemetry.metrics import values as also
from runtime.telemetry.metrics.instruments import Counter, Distribution, Histogram, Instrument, Sum
from runtime.telemetry.metrics.values import number, text

Operations = Mapping[tuple[str, str], tuple[str, str]]
"""Of a method and a route, the API and its operation."""
OF_REQUEST = (names.METHOD, names.URL_SCHEME, names.ROUTE, names.STATUS)
OF_ATTEMPT = (names.METHOD, names.SERVER_ADDRESS, names.SERVER_PORT, names.STATUS)
"""What series are found by."""
_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
_OTHER, _SOCKET, _UNKNOWN = "_OTHER", "WS", ("unknown", "unknown")
_AS = {"HEAD": "GET"}
_REFUSED = 400


class Requests:
    """operations: asked for once, when the first request is counted."""

    def __init__(self, operations: Callable[[], Operations]) -> None:
        self._find = operations
        self._operations: Operations | None = None
        self._duration = Histogram(
            "http.server.request.duration",
            "s",
            "Duration of requests, until the last byte of their answers.",
            (names.METHOD, names.URL_SCHEME, names.ROUTE, names.STATUS, names.ERROR),
            also.LONG_SECONDS,
        )
        self._requests = Counter(
            "llama_stack.requests_total", "1", "Requests.", ("api", "method", "status", "status_code")
        )
        self._seconds = Histogram(
            "llama_stack.request_duration_seconds", "s", "Duration of requests.", ("api", "method"), also.LONG_SECONDS
        )
        self.instruments: tuple[Instrument, ...] = (self._duration, self._requests, self._seconds)
        self._found = Found(self._look_up)

    def count(self, alike: Alike) -> None:
        asked, durations = self._found[(*map(alike.said.get, OF_REQUEST), alike.error)]
        asked.value += len(alike.spans)
        for duration in durations:
            duration.extend(alike.seconds_sorted)

    def _look_up(self, said: tuple[object, ...]) -> tuple[Sum, Sequence[Distribution]]:
        *words, code = said[:-1]
        (method, scheme, route), status, error = map(text, words), number(code), text(said[-1])
        if self._operations is None:
            self._operations = self._find()
        api, operation = self._operations.get((_AS.get(method, method), route), _UNKNOWN)
        outcome = also.ERROR if error or status >= _REFUSED else also.SUCCESS
        asked = self._requests.of((api, operation, outcome, status))
        if method == _SOCKET:  # which carries many, and says nothing of how long any of them took
            return asked, ()
        known = method if method in _METHODS else _OTHER
        durations = self._duration.of((known, scheme, route, status, error)), self._seconds.of((api, operation))
        return asked, durations


class Attempts:
    def __init__(self) -> None:
        self._duration = Histogram(
            "http.client.request.duration",
            "s",
            "Duration of attempts to get an answer from another server, until its headers are there.",
            (names.METHOD, names.SERVER_ADDRESS, names.SERVER_PORT, names.STATUS, names.ERROR),
            also.LONG_SECONDS,
        )
        self.instruments: tuple[Instrument, ...] = (self._duration,)

        self._found = Found(self._look_up)

    def count(self, alike: Alike) -> None:
        self._found[(*map(alike.said.get, OF_ATTEMPT), alike.error)].extend(alike.seconds_sorted)

    def _look_up(self, said: tuple[object, ...]) -> Distribution:
        method, address, port, status, error = said
        return self._duration.of((text(method), text(address), number(port), number(status) or "", text(error)))
