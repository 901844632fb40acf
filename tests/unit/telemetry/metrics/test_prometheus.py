"""Metrics as Prometheus reads them: held to the parser of its own client, in both forms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

from runtime.telemetry.metrics.instruments import Counter, Histogram, Instrument, Observed
from runtime.telemetry.metrics.prometheus import OPEN, TEXT, exposition, family, wanted

Read = Callable[[str], Iterable[Metric]]
READ = [pytest.param(TEXT, read_text, id="text"), pytest.param(OPEN, read_open, id="openmetrics")]
ODD = 'a "b" \\ c\nd, {e="f"} \N{SNOWMAN}'


def some() -> list[Instrument]:
    counter = Counter("llama_stack.requests_total", "1", "Requests,\nall of them \\ here.", ("error.type", "by"))
    counter.add(("", ODD), 3)
    counter.add(("", "x"))
    histogram = Histogram("http.server.request.duration", "s", "How long.", ("http.route",), (0.5, 1, 10))
    for value in (0.1, 0.5, 0.7, 20):
        histogram.record(("/v1/models",), value)
    gauge = Observed("llama_stack.engine.kv_use", "1", "How full.", (), lambda: [((), 0.25)])
    return [counter, histogram, gauge, Counter("never", "1", "Nothing.", ())]


@pytest.mark.parametrize(("content_type", "read"), READ)
async def test_what_is_written_is_read(content_type: str, read: Read) -> None:
    said = (await exposition(some(), content_type)).decode()
    found = {one.name: one for one in read(said)}
    assert {name: one.type for name, one in found.items()} == {
        "llama_stack_requests": "counter",
        "http_server_request_duration_seconds": "histogram",
        "llama_stack_engine_kv_use_ratio": "gauge",
    }
    requests = found["llama_stack_requests"]
    assert requests.documentation == "Requests,\nall of them \\ here."
    assert [(one.name, one.labels, one.value) for one in requests.samples] == [
        ("llama_stack_requests_total", {"by": ODD}, 3.0),
        ("llama_stack_requests_total", {"by": "x"}, 1.0),
    ]
    samples = found["http_server_request_duration_seconds"].samples
    assert [(one.labels["le"], one.value) for one in samples if one.name.endswith("_bucket")] == [
        ("0.5", 2.0),
        ("1.0", 3.0),
        ("10.0", 3.0),
        ("+Inf", 4.0),
    ]
    [total] = [one.value for one in samples if one.name.endswith("_sum")]
    [count] = [one.value for one in samples if one.name.endswith("_count")]
    assert math.isclose(total, 21.3) and count == 4.0
    assert [one.value for one in found["llama_stack_engine_kv_use_ratio"].samples] == [0.25]


@pytest.mark.parametrize(
    ("name", "unit", "kind", "called"),
    [
        ("gen_ai.client.token.usage", "{token}", Histogram, "gen_ai_client_token_usage"),
        ("gen_ai.client.operation.duration", "s", Histogram, "gen_ai_client_operation_duration_seconds"),
        ("llama_stack.request_duration_seconds", "s", Histogram, "llama_stack_request_duration_seconds"),
        ("a.b-c", "By", Histogram, "a_b_c_bytes"),
        ("a.tokens_per_second", "", Histogram, "a_tokens_per_second"),
    ],
)
def test_a_name_becomes_what_opentelemetry_says(name: str, unit: str, kind: type[Histogram], called: str) -> None:
    assert family(kind(name, unit, "", (), (1,)))[0] == called


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml", TEXT),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPEN),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPEN),
        ("text/plain;version=0.0.4, application/openmetrics-text;q=0.5", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=much", TEXT),
    ],
)
def test_openmetrics_is_for_whoever_asks_for_it(accept: str, content_type: str) -> None:
    assert wanted(accept) == content_type
