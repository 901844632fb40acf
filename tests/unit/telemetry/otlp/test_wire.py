"""What a collector gets, decoded with OpenTelemetry's own protobuf: at wire level, so that it can misbehave.

That a real collector takes it is shown in `tests/processes/telemetry/test_real_collector.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from importlib import import_module

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from runtime.access import EVERYBODY
from runtime.errors import UpstreamError
from runtime.server.masking import Hidden
from runtime.telemetry.otlp import sending
from runtime.telemetry.otlp.exporting import Exporting, exporting
from runtime.telemetry.requests import begin_request, end_request
from runtime.telemetry.spans import Span, begin, inside
from runtime.telemetry.trace_context import Remote
from tests.support.otlp_collector import Collector, collector, values_of
from tests.unit.telemetry._seen import Seen

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "1", "OTEL_BLRP_SCHEDULE_DELAY": "1", "OTEL_METRICS_EXPORTER": "none"}
CALLER = Remote("ab" * 16, "cd" * 8, True, "vendor=1")
SECRET = "sk-very-secret"


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """What the first thread that sends would import: longer than a test waits at its end."""
    import_module("runtime.telemetry.otlp.spans")
    import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")


@pytest.fixture
def taking() -> Iterator[Collector]:
    with collector() as running:
        yield running


def told_to(taking: Collector, env: Mapping[str, str] | None = None) -> Exporting:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": taking.url, **SOON, **(env or {})}
    return exporting(env, distribution="starter", hidden=Hidden([SECRET]))


async def send(told: Exporting, spans: list[Span], *, offset_s: float = 0.0) -> None:
    for exporter in told.exporters:
        await exporter.export(spans, offset_s)


async def close(told: Exporting) -> None:
    for exporter in told.exporters:
        await exporter.close()


def a_request(*, caller: Remote | None = CALLER, error: Exception | None = None) -> list[Span]:
    """A call below a request, both ended."""
    seen = Seen()
    request = begin_request(seen, "req_1", EVERYBODY, caller)
    with inside(request):
        call = begin("chat m", {"gen_ai.request.model": "m", "n": [1, 2], "stop": ["a"]}, "client")  # type: ignore[dict-item]
        assert call is not None
        if error is not None:
            call.fail(error)
        call.end()
    end_request(request, "POST", f"/v1/{SECRET}", "http", "/v1/{id}", 200, 0.5, 0.002)
    return seen.spans


async def test_spans_arrive_as_they_were(taking: Collector) -> None:
    told = told_to(taking)
    call, request = spans = a_request(error=UpstreamError(f"the key {SECRET} is refused", provider_id="p"))
    await send(told, spans, offset_s=1_700_000_000.0)
    await close(told)
    sent_call, sent = taking.spans()
    assert (sent.trace_id.hex(), sent.span_id.hex(), sent.parent_span_id.hex()) == (
        CALLER.trace_id,
        request.id,
        CALLER.span_id,
    )
    assert (sent.name, sent.kind, sent.trace_state, sent.status.code) == ("POST /v1/{id}", 2, "vendor=1", 0)
    assert values_of(sent.attributes) == {
        "http.request.method": "POST",
        "url.path": "/v1/********",
        "url.scheme": "http",
        "llama_stack.request.id": "req_1",
        "http.route": "/v1/{id}",
        "http.response.status_code": 200,
        "llama_stack.overhead_ms": 0.5,
        "llama_stack.waited_ms": 2.0,
    }
    assert request.ended is not None
    assert sent.start_time_unix_nano == pytest.approx((request.began + 1_700_000_000) * 1e9, abs=1000)
    assert sent.end_time_unix_nano - sent.start_time_unix_nano == pytest.approx(
        (request.ended - request.began) * 1e9, abs=2
    )
    is_remote, has_remote = 0x200, 0x100
    assert (sent.flags & 0x300, sent_call.flags & 0x300) == (has_remote | is_remote, has_remote)
    assert (sent_call.parent_span_id.hex(), sent_call.kind) == (request.id, 3)
    assert (sent_call.status.code, sent_call.status.message) == (2, "the key ******** is refused")
    facts = values_of(sent_call.attributes)
    assert (facts["n"], facts["stop"], facts["error.type"]) == ([1, 2], ["a"], call.error)


async def test_who_sends_it_is_told(taking: Collector) -> None:
    told = told_to(taking, {"OTEL_RESOURCE_ATTRIBUTES": "team=search,service.version=7"})
    await send(told, a_request())
    await close(told)
    facts = taking.resource()
    assert {"service.name": "llama-stack", "service.version": "7", "team": "search"}.items() <= facts.items()
    assert facts["llama_stack.distribution.name"] == "starter"
    assert len(facts["service.instance.id"]) == 36 and facts["process.pid"] > 0 and facts["host.name"]


async def test_headers_and_compression_are_as_the_variables_say(taking: Collector) -> None:
    told = told_to(taking, {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
    await send(told, a_request())
    await close(told)
    [(path, headers)] = taking.asked
    assert (path, headers["x-key"], headers["content-encoding"]) == ("/v1/traces", "a b", "gzip")
    assert headers["content-type"] == "application/x-protobuf"
    assert len(taking.spans()) == 2


async def test_attributes_stay_within_their_limits(taking: Collector) -> None:
    told = told_to(taking, {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "2"})
    await send(told, a_request())
    await close(told)
    call, request = taking.spans()
    assert (len(request.attributes), request.dropped_attributes_count) == (2, 6)
    assert all(len(str(value)) <= 3 for value in values_of(request.attributes).values() if isinstance(value, str))
    assert call.name == "chat m"


async def test_what_protobuf_has_not_is_sent_otherwise_and_costs_no_other_span(
    taking: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    told = told_to(taking)
    call, request = a_request()
    call.name, call.message, call.error = "chat \ud800", "no \udcff", "failed"
    call.own |= {"large": 10**400, "small": -(2**63), "list": [2**63], "text": "a\ud800b"}  # type: ignore[dict-item]
    await send(told, [call, request])
    await close(told)
    sent, other = taking.spans()
    assert (sent.name, sent.status.message, other.name) == ("chat ?", "no ?", request.name)
    assert {name: values_of(sent.attributes)[name] for name in ("large", "small", "list", "text")} == {
        "large": hex(10**400),
        "small": -(2**63),
        "list": [hex(2**63)],
        "text": "a?b",
    }
    assert not caplog.records


async def test_a_line_that_is_no_text_costs_no_other_line(taking: Collector, caplog: pytest.LogCaptureFixture) -> None:
    told = told_to(taking)
    assert told.log_handler is not None
    for words in ("no \ud800", "fine"):
        told.log_handler.handle(logging.makeLogRecord({"msg": words, "file": "\udcff", "levelno": 20}))
    told.log_handler.close()
    first, second = taking.logs()
    assert (first.body.string_value, second.body.string_value) == ("no ?", "fine")
    assert values_of(first.attributes)["file"] == "?"
    assert not caplog.records


async def test_what_is_not_sampled_is_not_sent(taking: Collector) -> None:
    told = told_to(taking)
    await send(told, a_request(caller=CALLER._replace(is_sampled=False)))
    await send(told, a_request(caller=None))
    await close(told)
    assert {span.parent_span_id for span in taking.spans()} >= {b""} and len(taking.spans()) == 2


async def test_a_collector_that_asks_to_wait_gets_it_later(taking: Collector, caplog: pytest.LogCaptureFixture) -> None:
    taking.refusals = [(503, {"retry-after": "0"}), (429, {"retry-after": "0"})]
    told = told_to(taking)
    await send(told, a_request())
    await asyncio.to_thread(taking.until, taking.spans)
    await close(told)
    assert (len(taking.asked), len(taking.spans())) == (3, 2)
    assert caplog.records == []


async def test_a_collector_that_refuses_a_part_is_told_of_once(
    taking: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """https://opentelemetry.io/docs/specs/otlp/#partial-success: never sent again."""
    part = ExportTraceServiceResponse(
        partial_success={"rejected_spans": 1, "error_message": f"too old for {SECRET}"}
    ).SerializeToString()
    taking.answers = [part, part, b"", b"\xff no protobuf", part]
    told = told_to(taking, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2", "OTEL_LOGS_EXPORTER": "none"})
    for _ in range(5):
        await send(told, a_request())
    await close(told)
    assert len(taking.spans()) == 10
    said = [(record.getMessage(), record.__dict__["refused"]) for record in caplog.records]
    assert said == [("a collector refuses a part of what has happened", 1)] * 2
    assert "too old" in caplog.records[0].__dict__["error"]


async def test_a_collector_that_refuses_is_told_of_once(taking: Collector, caplog: pytest.LogCaptureFixture) -> None:
    taking.refusals = [(404, {})] * 2
    told = told_to(taking, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{taking.url}/v1/traces?api_key={SECRET}"})
    for count in (1, 2):
        await send(told, a_request())
        await asyncio.to_thread(taking.until, lambda: len(taking.asked) >= count)  # noqa: B023
    await close(told)
    [record] = caplog.records
    assert (record.name, record.getMessage()) == (sending.__name__, "what has happened cannot be sent")
    assert "404" in record.__dict__["error"]
    assert SECRET not in str(record.__dict__)


async def test_a_collector_that_is_down_or_silent_holds_up_nobody(
    taking: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "LAST_S", 0.2)
    taking.holds = True
    silent, down = (
        told_to(taking),
        exporting(
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces", **SOON},
            distribution="d",
            hidden=Hidden(),
        ),
    )
    began = time.monotonic()
    await send(silent, a_request())
    await send(down, a_request())
    await asyncio.to_thread(taking.until, lambda: taking.asked)
    sent = time.monotonic()
    await close(silent)
    await close(down)
    assert time.monotonic() - sent < 5 and sent - began < 20
    taking.release()
    assert {record.name for record in caplog.records} <= {sending.__name__}


async def test_lines_of_the_log_arrive_with_their_span(taking: Collector) -> None:
    told = told_to(taking, {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": "12"})
    assert told.exporters == () and told.log_handler is not None
    record = logging.makeLogRecord(
        {
            "name": "runtime.some.part", "levelno": 30, "levelname": "WARNING", "created": 1_700_000_000.25,
            "msg": "the key %s is %s", "args": (SECRET, "bad"), "request_id": "req_1", "trace_id": "ab" * 16,
            "span_id": "cd" * 8, "provider_id": "far away from here", "count": 3, "nothing": None,
            "exc_text": "Traceback", "exc_info": (ValueError, ValueError("x"), None),
        }
    )  # fmt: skip
    told.log_handler.handle(record)
    told.log_handler.handle(
        logging.makeLogRecord({"name": "other", "msg": "alone", "levelno": 20, "levelname": "INFO"})
    )
    told.log_handler.close()
    sent, alone = taking.logs()
    assert (sent.body.string_value, sent.severity_text, sent.severity_number) == (
        *("the key ******** is bad", "WARNING"),
        13,
    )
    assert (sent.trace_id.hex(), sent.span_id.hex(), sent.flags) == ("ab" * 16, "cd" * 8, 1)
    assert sent.time_unix_nano == pytest.approx(1_700_000_000_250_000_000, abs=1000)
    assert values_of(sent.attributes) == {
        "llama_stack.request.id": "req_1",
        "provider_id": "far away fro",
        "count": 3,
        "exception.type": "ValueError",
        "exception.stacktrace": "Traceback",
    }
    assert (alone.trace_id, alone.span_id, alone.severity_number) == (b"", b"", 9)
    scopes = [scope.scope.name for one in taking.received for some in one.resource_logs for scope in some.scope_logs]
    assert sorted(scopes) == ["other", "runtime.some.part"]


def test_what_is_logged_while_it_is_sent_is_not_sent(taking: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    told = told_to(taking)
    assert told.log_handler is not None
    monkeypatch.setattr(sending._here, "is_sending", True, raising=False)
    told.log_handler.handle(logging.makeLogRecord({"msg": "a"}))
    monkeypatch.undo()
    told.log_handler.close()
    assert taking.asked == []


async def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.grpc", None)
    env = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", **SOON}
    told = exporting(env, distribution="mine", hidden=Hidden())
    [record] = caplog.records
    assert (record.levelname, told.exporters) == ("ERROR", ()), "at the start, and once"
    assert "the package `opentelemetry-exporter-otlp-proto-grpc` is not there" in record.getMessage()
    assert "`OTEL_EXPORTER_OTLP_PROTOCOL=grpc llama stack build mine` installs it" in record.__dict__["hint"]


async def test_spans_are_shown_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    told = exporting({"OTEL_TRACES_EXPORTER": "console", **SOON}, distribution="d", hidden=Hidden())
    await send(told, a_request())
    await close(told)
    assert '"name": "POST /v1/{id}"' in capsys.readouterr().out
