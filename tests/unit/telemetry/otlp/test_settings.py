"""OpenTelemetry's variables: what they mean, and what is said of a value that means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.server.masking import Hidden
from runtime.telemetry.otlp.exporting import exporting
from runtime.telemetry.otlp.settings import ENDLESS, Batching, Limits, is_asked, read, secrets_in

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}
TRACES, METRICS, LOGS = ((one, f"http://collector:4318/v1/{one}") for one in ("traces", "metrics", "logs"))
CONSOLE = "traces", "console"
WRONG = Path(__file__).with_name("wrong_values.tsv").read_text().splitlines()
"""Each with variables that are set, and what is said of them."""


def places(env: dict[str, str]) -> list[tuple[str, str]]:
    return [(target.signal, target.endpoint or target.kind) for target in read(env).targets]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "a", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}, []),
        (ENDPOINT, [TRACES, METRICS, LOGS]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1/own"}, [("traces", "http://a:1/own")]),
        (ENDPOINT | {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}, [TRACES]),
        ({"OTEL_TRACES_EXPORTER": "otlp,console"}, [("traces", "http://localhost:4318/v1/traces"), CONSOLE]),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            [("traces", "http://localhost:4317")],
        ),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, []),
        (ENDPOINT | {"TELEMETRY_SINKS": "otel_trace,console"}, [TRACES, CONSOLE]),
        (ENDPOINT | {"TELEMETRY_SINKS": "otel_metric"}, [METRICS]),
        ({"TELEMETRY_SINKS": "console", "OTEL_TRACES_EXPORTER": "none"}, []),
    ],
)
def test_what_is_sent_where(env: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert places(env) == expected
    assert read(env).warnings == []


def test_a_signal_s_own_variable_comes_first() -> None:
    env = ENDPOINT | {
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20general, x-a=b",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=own",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "5000",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "1500",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": "own.pem",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "key.pem",
    }
    traces, _, logs = read(env).targets
    assert (dict(traces.headers), traces.timeout_s, traces.compression) == ({"api-key": "own"}, 1.5, "none")
    assert (traces.certificate, traces.client_certificate, traces.client_key) == ("ca.pem", "own.pem", "key.pem")
    assert dict(logs.headers) == {"authorization": "Bearer general", "x-a": "b"}
    assert (logs.timeout_s, logs.compression, logs.client_key) == (5.0, "gzip", None)
    assert "own" not in repr(traces.headers) or "api-key" not in repr(traces)


def test_queues_and_limits() -> None:
    env = {
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BSP_MAX_QUEUE_SIZE": "100",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "7",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "50",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "3",
        "OTEL_METRIC_EXPORT_INTERVAL": "1500",
    }
    settings = read(env)
    assert settings.spans == Batching(0.2, 100, 100)
    assert settings.logs.most_at_once == 7
    assert (settings.span_limits, settings.log_limits) == (Limits(50, 3), Limits(50, 128))
    assert settings.metric_every_s == 1.5
    assert read({}).span_limits == Limits(ENDLESS, 128)


def test_the_service_is_called_as_its_own_variable_says() -> None:
    env = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,team=b%2Cc", "OTEL_SERVICE_NAME": "mine"}
    assert read(env).service == {"service.name": "mine", "team": "b,c"}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_value_is_named_and_the_default_taken(line: str, caplog: pytest.LogCaptureFixture) -> None:
    given, _, warning = line.partition("\t")
    env = dict(pair.split("=", 1) for pair in given.split(" "))
    assert read(env).warnings == [warning]
    exporting(env, distribution="d", hidden=Hidden())
    assert [record.getMessage() for record in caplog.records] == [warning]


def test_nothing_is_read_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_asked({"PATH": "/bin"})
    told = exporting({"PATH": "/bin"}, distribution="d", hidden=Hidden())
    assert (told.exporters, told.sampler, told.log_handler) == ((), None, None)


def test_headers_and_passwords_are_secrets() -> None:
    env = {
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=Basic%20c2VjcmV0OnNlY3JldA==,x=y",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:a%40password@collector",
        "OTEL_SERVICE_NAME": "not a secret",
    }
    hidden = Hidden(secrets_in(env))
    said = "Basic%20c2VjcmV0OnNlY3JldA== Basic c2VjcmV0OnNlY3JldA== c2VjcmV0OnNlY3JldA== a%40password a@password"
    assert set(str(hidden.without(said)).split()) <= {"********", "Basic"}
    assert hidden.without("not a secret") == "not a secret"


@pytest.mark.parametrize("name", ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_MAX_QUEUE_SIZE", "OTEL_METRIC_EXPORT_INTERVAL"])
def test_a_number_that_no_computer_counts_with_is_said(name: str) -> None:
    [warning] = read({name: "9" * 5000}).warnings
    assert f"`{name}` is to be a number from 1 to 2147483647" in warning
