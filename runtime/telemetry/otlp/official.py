"""OpenTelemetry's own exporters, made by what the variables say, and why they fail.

They log each failure; it is taken out of there, so that the log says it once. Other uses of theirs in this process,
such as those of a program that has our stack as a library, log as ever.
"""

from __future__ import annotations

import importlib
import logging
import re
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value
from opentelemetry.exporter.otlp.proto.http import Compression

from runtime.errors import StackError
from runtime.redaction import redact_text
from runtime.telemetry.otlp.settings import Signal, Target

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
_here = threading.local()


class Outgoing(Generic[T]):
    """Implements `Outlet`: makes what an official exporter takes, and has it sent. make: of what waits."""

    def __init__(self, target: Target, make: Callable[[Sequence[T]], Any]) -> None:
        self._exporter = _exporter(target)
        self._make = make
        self._said: list[str] = []
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_taken_out)  # once, however often it is said
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # in this thread: requests of ours are nobody's spans

    def send(self, items: Sequence[T]) -> str | None:
        _here.said = self._said = []
        try:
            result = self._exporter.export(self._make(items))
            reason = self.trouble or "the exporter does not say why"
        finally:
            del _here.said
            self._said = []
        return None if result.name == "SUCCESS" else reason

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
        compression=Compression(target.compression),
        certificate_file=target.certificate,
        client_certificate_file=target.client_certificate,
        client_key_file=target.client_key,
    )


def _of_grpc(compression: str) -> Any:
    known = importlib.import_module("grpc").Compression
    return {"gzip": known.Gzip, "deflate": known.Deflate}.get(compression, known.NoCompression)
