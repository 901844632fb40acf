"""OpenTelemetry's environment variables: what is sent, where and how. A value that makes no sense gives way to the
default, and a warning names its variable.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/, read in November 2026.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from runtime.redaction import redact_text
from runtime.telemetry.sampling import BY_RATIO, SAMPLERS, USUAL, Sampler

Signal = Literal["traces", "metrics", "logs"]
Protocol = Literal["http/protobuf", "grpc"]
Compression = Literal["none", "gzip", "deflate"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")
SINKS = "TELEMETRY_SINKS"
"""llama-stack 0.3's own variable; OpenTelemetry's come first."""
_SINKS: Mapping[Signal, Mapping[str, str]] = {
    "traces": {"otel_trace": "otlp", "console": "console"},
    "metrics": {"otel_metric": "otlp"},
    "logs": {},
}
_TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_KEPT_HERE = "sqlite"
_PLACES: Mapping[Protocol, str] = {"http/protobuf": "http://localhost:4318", "grpc": "http://localhost:4317"}
_PROTOCOLS: tuple[Protocol, ...] = ("http/protobuf", "grpc")
_COMPRESSIONS: tuple[Compression, ...] = ("none", "gzip", "deflate")
ENDLESS = sys.maxsize
_GREATEST = 2**31 - 1
"""Of a number, as OpenTelemetry's SDKs in other languages have it: threads and sockets wait no longer."""
_HEADER_NAME, _HEADER_VALUE = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII), re.compile(r"[\t -~\x80-\xff]*")
"""RFC 9110, 5.6.2 and 5.5. An exporter that gets anything else shows all of it where it fails."""
_FEWEST_MS = 100
"""A time limit below that is meant in seconds, as OpenTelemetry's SDK for Python has it; the specification has not."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where one signal goes. kind: a collector, or standard output, for which only the signal matters. endpoint: the
    whole address of an HTTP collector, the server of one with gRPC. certificate: of the authority that it is checked
    by; client_certificate, client_key: ours; all of them files.
    """

    signal: Signal
    kind: Literal["otlp", "console"]
    protocol: Protocol = "http/protobuf"
    endpoint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 10.0
    compression: Compression = "none"
    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None


class Batching(NamedTuple):
    """How what has happened is gathered. every_s: how long it waits for more. most_waiting: more than that is lost.
    most_at_once: what one request has at most.
    """

    every_s: float
    most_waiting: int
    most_at_once: int


class Limits(NamedTuple):
    """Of attributes. length: of a text, in characters. most: how many there may be."""

    length: int = ENDLESS
    most: int = 128


SPANS, LOGS = Batching(5.0, 20_000, 512), Batching(1.0, 20_000, 512)
"""As in the specification, but for the queue, which is a tenth as long there: spans come here once a second."""
METRICS = Batching(3600.0, 100, 1)
"""They are read once in a while, and each reading is sent at once: as soon as one waits."""
USUAL_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the variables say. service: the resource's name and attributes as they are given. sampler: None where all
    traces are kept that their callers keep. metric_every_s: how often metrics are sent.
    """

    targets: Sequence[Target] = ()
    spans: Batching = SPANS
    logs: Batching = LOGS
    span_limits: Limits = USUAL_LIMITS
    log_limits: Limits = USUAL_LIMITS
    service: Mapping[str, str] = field(default_factory=dict)
    sampler: Sampler | None = None
    metric_every_s: float = 60.0
    warnings: Sequence[str] = ()

    def of(self, signal: Signal) -> list[Target]:
        """Where one signal goes."""
        return [target for target in self.targets if target.signal == signal]


def is_asked(env: Mapping[str, str]) -> bool:
    """Whether there is anything to read."""
    return any(name.startswith("OTEL_") or name == SINKS for name in env)


def read(env: Mapping[str, str]) -> Settings:
    """What the variables say. Each of them counts as not set where it is empty."""
    said = _Variables(env)
    if said.choice("OTEL_SDK_DISABLED", ("false", "true"), "false") == "true":
        return Settings(warnings=said.warnings)
    targets = [target for signal in SIGNALS for target in _targets(said, signal)]
    settings = Settings(
        targets=targets,
        spans=_batching(said, "OTEL_BSP", SPANS),
        logs=_batching(said, "OTEL_BLRP", LOGS),
        span_limits=_limits(said, "OTEL_SPAN_ATTRIBUTE"),
        log_limits=_limits(said, "OTEL_LOGRECORD_ATTRIBUTE"),
        service=_service(said),
        sampler=_sampler(said),
        metric_every_s=said.number(("OTEL_METRIC_EXPORT_INTERVAL",), 60_000) / 1000,
        warnings=said.warnings,
    )
    _check_propagators(said)
    if said.text(_TEMPORALITY).lower() not in ("", "cumulative"):
        said.warn(f"`{_TEMPORALITY}` has no effect: metrics have what was counted since the start")
    return settings


def secrets_in(env: Mapping[str, str]) -> Iterator[str]:
    """What nobody may see of the variables: the values of headers, as given and as sent, without the words before keys
    that all know; and passwords in addresses.
    """
    for name, value in env.items():
        if not name.startswith("OTEL_EXPORTER_OTLP_"):
            continue
        if name.endswith("HEADERS"):
            for pair in value.split(","):
                given = pair.partition("=")[2].strip()
                sent = unquote(given)
                yield from (given, sent, given.rpartition("%20")[2], sent.rpartition(" ")[2])
        elif name.endswith("ENDPOINT"):
            try:
                parts = urlsplit(value)
            except ValueError:
                continue
            if parts.password:
                yield from (parts.password, unquote(parts.password))


class _Variables:
    """Reads variables, and gathers what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.warnings: list[str] = []

    def first(self, *names: str) -> tuple[str, str]:
        """The first of some variables that is set, with its value; both are empty where none is."""
        for name in names:
            if value := self._env.get(name, "").strip():
                return name, value
        return "", ""

    def text(self, *names: str) -> str:
        return self.first(*names)[1]

    def number(self, names: Sequence[str], default: int, *, least: int = 1) -> int:
        """The number that the first of these variables has."""
        name, value = self.first(*names)
        if not name:
            return default
        if value.isascii() and value.isdecimal() and len(value) < 20 and least <= int(value) <= _GREATEST:
            return int(value)
        taken = "there is no limit" if default == ENDLESS else f"{default} is taken"
        self.warn(f"`{name}` is to be a number from {least} to {_GREATEST}; {taken}")
        return default

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """One of some words, in any case."""
        value = self.text(name).lower()
        if not value or value in allowed:
            return value or default
        self.warn(f"`{name}` is to be one of {', '.join(allowed)}; {default} is taken")
        return default

    def warn(self, words: str) -> None:
        if words not in self.warnings:
            self.warnings.append(words)


def _of_signal(signal: Signal, what: str) -> tuple[str, str]:
    """The two variables for something, of which that of the signal alone comes first."""
    return f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", f"OTEL_EXPORTER_OTLP_{what}"


def _targets(said: _Variables, signal: Signal) -> Iterator[Target]:
    for kind in _kinds(said, signal):
        if kind == "console":
            yield Target(signal=signal, kind="console")
        elif (target := _collector(said, signal)) is not None:
            yield target


def _kinds(said: _Variables, signal: Signal) -> list[str]:
    """`otlp`, `console`, both or none of them."""
    name = f"OTEL_{signal.upper()}_EXPORTER"
    if given := said.text(name):
        words = [word.strip().lower() for word in given.split(",")]
        for word in words:
            if (signal, word) == ("metrics", "prometheus"):
                where = "Prometheus reads them at `/metrics`, as `telemetry.metrics` of the run config says"
                said.warn(f"`{word}` in `{name}` has no effect: {where}")
            elif word not in ("otlp", "console", "none"):
                said.warn(f"`{name}` is to be otlp, console or none; `{word}` is left out")
        return [word for word in dict.fromkeys(words) if word in ("otlp", "console")]
    if sinks := said.text(SINKS):
        words = [word.strip().lower() for word in sinks.split(",")]
        known = {word for one in _SINKS.values() for word in one}
        for word in words:
            if word == _KEPT_HERE:
                said.warn(f"`{word}` in `{SINKS}` has no effect: a provider of `telemetry` keeps traces")
            elif word and word not in known:
                said.warn(f"`{SINKS}` is to have otel_trace, otel_metric or console; `{word}` is left out")
        return [_SINKS[signal][word] for word in dict.fromkeys(words) if word in _SINKS[signal]]
    return ["otlp"] if said.text(*_of_signal(signal, "ENDPOINT")) else []


def _collector(said: _Variables, signal: Signal) -> Target | None:
    """None where its address is none."""
    protocol = _protocol(said, signal)
    own, general = _of_signal(signal, "ENDPOINT")
    name, endpoint = said.first(own, general)
    is_http = protocol == "http/protobuf"
    if not name:
        endpoint = _PLACES[protocol]
    elif is_http and not _is_address(endpoint):
        said.warn(f"`{name}` is no address with `http://` or `https://`: {signal} are not sent")
        return None
    if is_http and name != own:
        endpoint = f"{endpoint.rstrip('/')}/v1/{signal}"
    compression = said.choice(_set_one(said, signal, "COMPRESSION"), _COMPRESSIONS, "none")
    return Target(
        signal=signal,
        kind="otlp",
        protocol=protocol,
        endpoint=endpoint,
        headers=_headers(said, signal),
        timeout_s=_timeout_s(said, signal),
        compression=next(one for one in _COMPRESSIONS if one == compression),
        certificate=said.text(*_of_signal(signal, "CERTIFICATE")) or None,
        client_certificate=said.text(*_of_signal(signal, "CLIENT_CERTIFICATE")) or None,
        client_key=said.text(*_of_signal(signal, "CLIENT_KEY")) or None,
    )


def _set_one(said: _Variables, signal: Signal, what: str) -> str:
    own, general = _of_signal(signal, what)
    return said.first(own, general)[0] or general


def _protocol(said: _Variables, signal: Signal) -> Protocol:
    chosen = said.choice(_set_one(said, signal, "PROTOCOL"), _PROTOCOLS, "http/protobuf")
    return "grpc" if chosen == "grpc" else "http/protobuf"


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _headers(said: _Variables, signal: Signal) -> dict[str, str]:
    name, given = said.first(*_of_signal(signal, "HEADERS"))
    pairs, wrong = _pairs(given)
    headers = {
        header: value
        for header, value in pairs.items()
        if _HEADER_NAME.fullmatch(header) and _HEADER_VALUE.fullmatch(value)
    }
    wrong += len(pairs) - len(headers)
    if wrong:
        said.warn(f"`{name}` is to be `name=value,name=value`: {wrong} of it is left out")
    return {header.lower(): value for header, value in headers.items()}


def _timeout_s(said: _Variables, signal: Signal) -> float:
    names = _of_signal(signal, "TIMEOUT")
    limit_ms = said.number(names, 10_000)
    if limit_ms < _FEWEST_MS:
        said.warn(f"`{said.first(*names)[0]}` is in milliseconds: a collector has {limit_ms} ms to answer")
    return limit_ms / 1000


def _pairs(text: str) -> tuple[dict[str, str], int]:
    """Of `name=value,name=value`, percent-encoded: the pairs, and how many are none."""
    pairs, wrong = dict[str, str](), 0
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        if not part.strip():
            continue
        if equals and name.strip():
            pairs[unquote(name.strip())] = unquote(value.strip())
        else:
            wrong += 1
    return pairs, wrong


def _batching(said: _Variables, prefix: str, usual: Batching) -> Batching:
    most_waiting = said.number((f"{prefix}_MAX_QUEUE_SIZE",), usual.most_waiting)
    most_at_once = said.number((f"{prefix}_MAX_EXPORT_BATCH_SIZE",), min(usual.most_at_once, most_waiting))
    if most_at_once > most_waiting:
        said.warn(f"`{prefix}_MAX_EXPORT_BATCH_SIZE` is at most `{prefix}_MAX_QUEUE_SIZE`; {most_waiting} is taken")
        most_at_once = most_waiting
    every_ms = said.number((f"{prefix}_SCHEDULE_DELAY",), round(usual.every_s * 1000))
    return Batching(every_ms / 1000, most_waiting, most_at_once)


def _limits(said: _Variables, prefix: str) -> Limits:
    general = "OTEL_ATTRIBUTE"
    count = said.number((f"{prefix}_COUNT_LIMIT", f"{general}_COUNT_LIMIT"), USUAL_LIMITS.most, least=0)
    length = said.number((f"{prefix}_VALUE_LENGTH_LIMIT", f"{general}_VALUE_LENGTH_LIMIT"), ENDLESS, least=0)
    return Limits(length, count)


def _service(said: _Variables) -> dict[str, str]:
    """The attributes that the user gives the resource."""
    pairs, wrong = _pairs(said.text("OTEL_RESOURCE_ATTRIBUTES"))
    if wrong:  # as the specification has it, all of it is left out then
        said.warn("`OTEL_RESOURCE_ATTRIBUTES` is to be `name=value,name=value`: it is left out")
        pairs = {}
    if name := said.text("OTEL_SERVICE_NAME"):
        pairs["service.name"] = name
    return pairs


def _sampler(said: _Variables) -> Sampler | None:
    name = said.choice("OTEL_TRACES_SAMPLER", tuple(SAMPLERS), USUAL)
    ratio = 1.0
    if (given := said.text("OTEL_TRACES_SAMPLER_ARG")) and name in BY_RATIO:
        try:
            ratio = float(given)
        except ValueError:
            ratio = -1.0
        if not 0 <= ratio <= 1:
            said.warn("`OTEL_TRACES_SAMPLER_ARG` is to be a number from 0 to 1; 1 is taken")
            ratio = 1.0
    return SAMPLERS[name](ratio)


def _check_propagators(said: _Variables) -> None:
    """W3C's trace context is what goes with requests, whatever else is wanted."""
    given = said.text("OTEL_PROPAGATORS")
    words = [word.strip().lower() for word in given.split(",") if word.strip()]
    if others := [word for word in words if word != "tracecontext"]:
        named = ", ".join(f"`{redact_text(word)}`" for word in others)
        said.warn(f"{named} in `OTEL_PROPAGATORS` has no effect: W3C's `traceparent` is what goes with requests")
