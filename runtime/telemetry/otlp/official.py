"""OpenTelemetry's own exporters, made by what the variables say, and why they fail.

They log each failure; it is taken out of there, so that the log says it once. Other uses of theirs in this process,
such as those of a program that has our stack as a library, log as ever. What a collector refuses of that which it takes
they do not look at: over HTTP, it is read from the answer.
"""

from __future__ import annotations

import importlib
import logging
import re
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from runtime.errors import StackError
from runtime.redaction import redact_text
from runtime.telemetry.otlp.settings import Signal, Target

log = logging.getLogger(__name__)
T = TypeVar("T")
_EXPORTERS: dict[tuple[str, Signal], tuple[str, str]] = {
    ("http/protobuf", "traces"): ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "OTLPSpanExporter"),
    ("http/protobuf", "metrics"): ("opentelemetry.exporter.otlp.proto.http.metric_exporter", "OTLPMetricExporter"),
    ("http/protobuf", "logs"): ("opentelemetry.exporter.otlp.proto.http._log_exporter", "OTLPLogExporter"),
    ("grpc", "traces"): ("opentelemetry.exporter.otlp.proto.grpc.trace_exporter", "OTLPSpanExporter"),
    ("grpc", "metrics"): ("opentelemetry.exporter.otlp.proto.grpc.metric_exporter", "OTLPMetricExporter"),
    ("grpc", "logs"): ("opentelemetry.exporter.otlp.proto.grpc._log_exporter", "OTLPLogExporter"),
    ("console", "traces"): ("opentelemetry.sdk.trace.export", "ConsoleSpanExporter"),
    ("console", "metrics"): ("opentelemetry.sdk.metrics.export", "ConsoleMetricExporter"),
    ("console", "logs"): ("opentelemetry.sdk._logs.export", "ConsoleLogRecordExporter"),
}
_LOGGERS = (
    *(module for (kind, _), (module, _) in _EXPORTERS.items() if kind == "http/protobuf"),
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)
_TRIED_AGAIN = re.compile(r"Transient error (.+) encountered while exporting .*", re.DOTALL)
_TAKEN = 200
_here = threading.local()


class Outgoing(Generic[T]):
    """Implements `Outlet`: makes what an official exporter takes, and has it sent. make: of what waits."""

    def __init__(self, target: Target, make: Callable[[Sequence[T]], Any]) -> None:
        self._exporter = _exporter(target)
        self._make = make
        self._said: list[str] = []
        self._is_refused = False
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_taken_out)  # once, however often it is said
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # in this thread: requests of ours are nobody's spans

    def send(self, items: Sequence[T]) -> str | None:
        _here.said = self._said = []
        _here.refused = None
        try:
            result = self._exporter.export(self._make(items))
            reason = self.trouble or "the exporter does not say why"
        finally:
            del _here.said
            self._said = []
            self._tell_of(_here.refused)
        return None if result.name == "SUCCESS" else reason

    def _tell_of(self, refused: tuple[int, str] | None) -> None:
        """Once, until all of it is taken. It is not to be sent again."""
        if refused is not None and not self._is_refused:
            count, words = refused
            facts = {"refused": count, "error": redact_text(words)}
            log.warning("a collector refuses a part of what has happened", extra=facts)
        self._is_refused = refused is not None

    @property
    def trouble(self) -> str | None:
        """What the first line says that the exporter has logged; those that follow say that it has tried again."""
        said = self._said
        return redact_text(_TRIED_AGAIN.sub(r"\1", said[0])) if said else None

    def stop(self) -> None:
        self._exporter.shutdown()


def _taken_out(record: logging.LogRecord) -> bool:
    said: list[str] | None = getattr(_here, "said", None)
    if said is None:
        return True
    said.append(record.getMessage())
    return False


def _note_refused(response: Any, *_: Any, **__: Any) -> None:
    """What a collector says of those that it has not taken; of metrics and logs it says so in the same form."""
    if response.status_code != _TAKEN:
        return
    with suppress(DecodeError):
        part = ExportTraceServiceResponse.FromString(response.content).partial_success
        if part.rejected_spans > 0:
            _here.refused = part.rejected_spans, part.error_message


def _session() -> Any:
    session = importlib.import_module("requests").Session()
    session.hooks["response"].append(_note_refused)
    return session


def _exporter(target: Target) -> Any:
    """Raises StackError where a package is missing, and what an exporter raises for certificates that are none."""
    kind = "console" if target.kind == "console" else target.protocol
    module, name = _EXPORTERS[kind, target.signal]
    try:
        made = getattr(importlib.import_module(module), name)
    except ImportError as error:
        package = f"opentelemetry-exporter-otlp-proto-{'grpc' if kind == 'grpc' else 'http'}"
        raise StackError(f"the package `{package}` is not there: {error}") from error
    if kind == "console":
        return made(out=sys.stdout)
    facts = {"endpoint": target.endpoint, "timeout": target.timeout_s, "headers": dict(target.headers)}
    if kind == "grpc":
        # Certificates it reads itself, from the same variables: only with TLS, which the address decides.
        return made(**facts, compression=_of_grpc(target.compression))
    return made(
        **facts,
        session=_session(),
        compression=Compression(target.compression),
        certificate_file=target.certificate,
        client_certificate_file=target.client_certificate,
        client_key_file=target.client_key,
    )


def _of_grpc(compression: str) -> Any:
    known = importlib.import_module("grpc").Compression
    return {"gzip": known.Gzip, "deflate": known.Deflate}.get(compression, known.NoCompression)
