"""What applications tell of themselves, and spans that become rows of a dataset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import User
from runtime.apis.telemetry.events import LogEventRequest
from runtime.apis.telemetry.traces import QueryTracesRequest
from runtime.conformance.stacks import Served, run_config, serving
from runtime.context import RequestContext
from runtime.context import serving as serving_request
from runtime.errors import RequestError
from runtime.providers.telemetry.builtin import adapter

PROVIDERS = {
    "telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
    "datasetio": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
}
IDS = {"trace_id": "a-trace", "span_id": "a-span"}
BEGIN = {"type": "structured_log", **IDS, "timestamp": "2026-11-28T12:00:00Z",
         "attributes": {"color": "red", "size": 1},
         "payload": {"type": "span_start", "name": "a step", "parent_span_id": "another"}}  # fmt: skip
END = {"type": "structured_log", **IDS, "timestamp": "2026-11-28T12:00:01.500000", "attributes": {"size": 2},
       "payload": {"type": "span_end", "status": "error"}}  # fmt: skip


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(run_config(providers=PROVIDERS), tmp_path) as running:
        yield running


async def tell(served: Served, event: dict[str, Any], **fields: Any) -> None:
    answer = await served.client.post("/v1/telemetry/events", json={"event": event, **fields})
    assert (answer.status, answer.body) == (204, b""), answer.body


async def rows(served: Served, sql: str) -> Any:
    answer = await served.client.post("/v1/telemetry/query", json={"sql": sql})
    assert answer.status == 200, answer.body
    return answer.json()["rows"]


async def test_lines_and_numbers_are_kept_and_asked_for_in_sql(served: Served) -> None:
    at = {"timestamp": "2026-11-28T12:00:00+01:00", **IDS}
    await tell(served, {"type": "unstructured_log", **at, "message": "it rains", "severity": "warn"}, ttl_seconds=60)
    await tell(
        served, {"type": "metric", **at, "metric": "drops", "value": 3, "unit": "1", "attributes": {"in": "Oslo"}}
    )
    assert await rows(served, "SELECT kind, name, detail, value, unit, epoch(time) FROM events ORDER BY kind") == [
        ["log", "it rains", "warn", None, None, 1795863600.0],
        ["metric", "drops", None, 3.0, "1", 1795863600.0],
    ]
    assert await rows(served, "SELECT attributes->>'in' FROM events WHERE kind = 'metric'") == [["Oslo"]]
    [[stays]] = await rows(served, "SELECT epoch(expires) - epoch(now()) FROM events WHERE kind = 'log'")
    assert 0 < stays <= 60


async def test_a_beginning_and_an_end_are_a_span(served: Served) -> None:
    await tell(served, BEGIN)
    assert (await served.client.get("/v1/telemetry/traces/a-trace")).status == 404, "it goes on"
    await tell(served, END)
    span = (await served.client.get("/v1alpha/telemetry/traces/a-trace/spans/a-span")).json()
    assert span == {
        "span_id": "a-span",
        "trace_id": "a-trace",
        "parent_span_id": "another",
        "name": "a step",
        "start_time": "2026-11-28T12:00:00Z",
        "end_time": "2026-11-28T12:00:01.500000Z",
        "attributes": {"color": "red", "size": 2},
        "status": "error",
        "kind": "internal",
        "message": "error",
    }


async def test_an_end_that_is_told_again_ends_nothing_more(served: Served) -> None:
    """As clients do whose answer was lost."""
    await tell(served, BEGIN)
    for _ in range(2):
        await tell(served, END)
    assert (await served.client.get("/v1/telemetry/traces/a-trace")).json()["span_count"] == 1
    assert await rows(served, "SELECT count(*) FROM events WHERE kind = 'span_end'") == [[1]]
    await tell(served, {**BEGIN, "timestamp": "2026-11-28T13:00:00Z"})
    await tell(served, {**END, "timestamp": "2026-11-28T13:00:01Z"})
    assert (await served.client.get("/v1/telemetry/traces/a-trace")).json()["span_count"] == 2


async def test_an_end_wants_a_beginning_of_the_same_caller(served: Served) -> None:
    refused = await served.client.post("/v1/telemetry/events", json={"event": END})
    assert (refused.status, refused.error["param"]) == (400, "event.span_id")
    telemetry = served.stack.api("telemetry")
    with serving_request(RequestContext(request_id="req_1", user=User(principal="ann"))):
        await telemetry.log_event(LogEventRequest.model_validate({"event": BEGIN}))
    with (
        serving_request(RequestContext(request_id="req_2", user=User(principal="ben"))),
        pytest.raises(RequestError, match="beginning of the span"),
    ):
        await telemetry.log_event(LogEventRequest.model_validate({"event": END}))


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({"type": "colour", **IDS}, "event"),
        ({**BEGIN, "attributes": {"a": [1]}}, "attributes"),
        ({**BEGIN, "payload": {"type": "span_start"}}, "name"),
        ({**BEGIN, "attributes": {str(number): 1 for number in range(200)}}, "attributes"),
    ],
)
async def test_what_is_no_event_is_told(served: Served, event: dict[str, Any], param: str) -> None:
    refused = await served.client.post("/v1/telemetry/events", json={"event": event})
    assert refused.status == 400 and param in str(refused.error)


async def test_spans_become_rows_of_a_dataset(served: Served) -> None:
    made = await served.client.post(
        "/v1beta/datasets",
        json={
            "purpose": "eval/question-answer",
            "source": {"type": "rows", "rows": [{"name": "first"}]},
            "dataset_id": "spans",
        },
    )
    assert made.status == 200, made.body
    await tell(served, BEGIN)
    await tell(served, END)
    asked = {
        "dataset_id": "spans",
        "attributes_to_save": ["color", "weight", "name", "status"],
        "attribute_filters": [{"key": "color", "op": "eq", "value": "red"}],
    }
    answer = await served.client.post("/v1/telemetry/spans/export", json=asked)
    assert answer.status == 204, answer.body
    found = (await served.client.get("/v1beta/datasetio/iterrows/spans")).json()["data"]
    assert [one["name"] for one in found] == ["first", "a step"]
    assert {name: found[1][name] for name in ("trace_id", "color", "weight", "status")} == {
        "trace_id": "a-trace", "color": "red", "weight": None, "status": "error",
    }  # fmt: skip
    unknown = await served.client.post("/v1/telemetry/spans/export", json={**asked, "dataset_id": "none"})
    assert unknown.status == 404


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.response.status_code": "none"},
        {"gen_ai.usage.input_tokens": "many"},
        {"gen_ai.usage.output_tokens": 1e30},
        {"gen_ai.usage.input_tokens": 10**30},
        {"gen_ai.usage.input_tokens": 2**63 - 1, "gen_ai.usage.output_tokens": 2**63 - 1},
        {"gen_ai.response.time_to_first_chunk": "soon"},
        {"a": "\0"},
    ],
)
async def test_what_one_application_tells_stops_nobody_from_asking(served: Served, attributes: dict[str, Any]) -> None:
    called = {"llama_stack.api": "inference", "gen_ai.operation.name": "chat", **attributes}
    for span in ("first", "second"):  # together their tokens are more than 64 bits
        await tell(served, {**BEGIN, "span_id": span, "attributes": called})
        await tell(served, {**END, "span_id": span})
    for asked in ("traces", "spans"):
        answer = await served.client.post(f"/v1/telemetry/{asked}", json={})
        assert answer.status == 200, answer.body
        assert [one["trace_id"] for one in answer.json()["data"]][:1] == ["a-trace"]
    for metric in ("prompt_tokens", "total_tokens", "inference.time_to_first_token_seconds"):
        body = {"start_time": 0, "query_type": "instant"}
        answer = await served.client.post(f"/v1/telemetry/metrics/{metric}", json=body)
        assert answer.status == 200, answer.body
    await rows(served, "SELECT * FROM spans")


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59", "9999-12-31T23:59:59-14:00", "9999-01-01T00:00:00"]
)
async def test_a_time_that_no_clock_shows_is_refused(served: Served, time: str) -> None:
    answer = await served.client.post("/v1/telemetry/events", json={"event": {**BEGIN, "timestamp": time}})
    assert (answer.status, "from 1970 to 9998" in answer.error["message"]) == (400, True), answer.body


async def test_what_is_told_to_begin_in_the_future_stays_no_longer_than_what_begins_now(served: Served) -> None:
    later = "2999-01-01T00:00:00Z"
    await tell(served, {**BEGIN, "timestamp": later})
    await tell(served, {**END, "timestamp": later})
    assert await rows(served, "SELECT count(*) FROM traces WHERE began <= now()") == [[1]]
    span = (await served.client.get("/v1/telemetry/traces/a-trace/spans/a-span")).json()
    assert span["start_time"] == later


async def test_spans_of_two_traces_that_have_one_id_are_told_apart(served: Served) -> None:
    for second, trace in enumerate(("first", "\u00e9/second")):
        for span, parent in (("\u00e9", None), (f"{trace}-2", "\u00e9")):
            ids = {"trace_id": trace, "span_id": span, "timestamp": f"2026-11-28T12:00:0{second}Z"}
            name = "root" if parent is None else "below"
            payload = {"type": "span_start", "name": name, "parent_span_id": parent}
            await tell(served, {**BEGIN, **ids, "payload": payload})
            await tell(served, {**END, **ids})
    tree = (await served.client.post("/v1/telemetry/spans/%C3%A9/tree", json={})).json()["data"]
    second = "\u00e9/second"
    assert [(span["trace_id"], id) for id, span in tree.items()] == [(second, "\u00e9"), (second, f"{second}-2")]
    roots = {"attribute_filters": [{"key": "name", "op": "eq", "value": "root"}], "max_depth": 1}
    found = (await served.client.post("/v1/telemetry/spans", json=roots)).json()["data"]
    assert sorted((span["trace_id"], span["span_id"]) for span in found) == [
        ("first", "first-2"), ("first", "\u00e9"), (second, "\u00e9"), (second, f"{second}-2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "op", "value", "found"),
    [
        ("size", "eq", 2, True),
        ("size", "ne", 2, False),
        ("size", "ne", 3, True),
        ("size", "gt", 10**400, False),
        ("size", "lt", 10**400, True),
        ("size", "gt", -(10**400), True),
        ("size", "starts_with", 10**400, False),
        ("weight", "ne", 3, True),
        ("weight", "ne", "3", True),
        ("weight", "eq", 3, False),
        ("weight", "lt", 3, False),
        ("color", "ne", 3, True),
        ("", "eq", "none", True),
        ("", "starts_with", "n", True),
        ("\\", "eq", "a", True),
        ('"', "eq", "b", True),
        ("*", "eq", "c", True),
        ("a.b[0]", "gt", "c", True),
        ("\u00e9~1/2", "eq", "e", True),
    ],
)
async def test_a_condition_is_compared_as_it_says(served: Served, key: str, op: str, value: Any, found: bool) -> None:
    odd = {"": "none", "\\": "a", '"': "b", "*": "c", "a.b[0]": "d", "\u00e9~1/2": "e"}
    await tell(served, {**BEGIN, "attributes": {"color": "red", **odd}})
    await tell(served, END)
    own = {"key": "trace_id", "op": "eq", "value": "a-trace"}
    asked = {"attribute_filters": [own, {"key": key, "op": op, "value": value}]}
    answer = await served.client.post("/v1/telemetry/spans", json=asked)
    assert (answer.status, len(answer.json().get("data", ()))) == (200, found), answer.body


@pytest.mark.parametrize("order", [[], ["-start_time"], ["start_time"]])
@pytest.mark.parametrize("since", [None, "2026-11-28T12:00:03Z"])
async def test_pages_by_time_are_those_of_all_traces(served: Served, order: list[str], since: str | None) -> None:
    """Found without what the spans say; with a condition, which all of them satisfy, it is looked at."""
    began = {"first": (1, 9), "second": (5, 2, 7), "third": (5,), "fourth": (8, 4), "fifth": (4,)}
    for trace, seconds in began.items():  # a row for each span
        for second in seconds:
            ids = {"trace_id": trace, "span_id": str(second), "timestamp": f"2026-11-28T12:00:0{second}Z"}
            await tell(served, {**BEGIN, **ids})
            await tell(served, {**END, **ids})

    async def pages(**asked: Any) -> list[Any]:
        found = []
        for offset in (0, 2, 4):
            body = {"limit": 2, "offset": offset, "order_by": order, "since": since, **asked}
            answer = await served.client.post("/v1/telemetry/traces", json=body)
            assert answer.status == 200, answer.body
            found += answer.json()["data"]
        return found

    found = await pages()
    assert found == await pages(attribute_filters=[{"key": "name", "op": "eq", "value": "a step"}])
    expected = ["first", "second", "fifth", "fourth", "third"][2 if since else 0 :]
    if order != ["start_time"]:
        expected = ["third", "fifth", "fourth", "second", "first"][: len(expected)]
    assert [one["trace_id"] for one in found] == expected
    assert {one["trace_id"]: one["span_count"] for one in found} == {name: len(began[name]) for name in expected}


async def test_what_is_too_much_to_be_told_is_refused_and_not_cut(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for second in range(4):
        ids = {"span_id": str(second), "timestamp": f"2026-11-28T12:00:0{second}Z"}
        called = {"llama_stack.api": "tool_runtime", "llama_stack.operation": "invoke_tool"}
        await tell(
            served,
            {
                **BEGIN,
                **ids,
                "attributes": called,
                "payload": {"type": "span_start", "name": "a", "parent_span_id": "0"},
            },
        )
        await tell(served, {**END, **ids})
    monkeypatch.setattr(adapter, "MOST_SPANS", 3)
    by_second = {"start_time": 0, "query_type": "range", "granularity": "1s"}
    for path, body, words in (
        ("metrics/tool_runtime.invocations_total", by_second, "a longer `granularity`"),
        ("spans/0/tree", {}, "`POST /v1/telemetry/query`"),
        ("spans", {"limit": 1, "max_depth": 1}, "a smaller `limit`"),
    ):
        answer = await served.client.post(f"/v1/telemetry/{path}", json=body)
        assert (answer.status, answer.error["code"], words in answer.error["message"]) == (
            400, "query_too_large", True,
        ), answer.body  # fmt: skip
    assert (await served.client.get("/v1/telemetry/traces/a-trace/spans/3")).status == 200


async def test_slow_queries_of_some_do_not_keep_others_from_asking(served: Served) -> None:
    endless = {"sql": "SELECT count(*) FROM range(1000000000000)"}
    asking = [asyncio.create_task(served.client.post("/v1/telemetry/query", json=endless)) for _ in range(6)]
    try:
        for _ in range(20):  # all of them have got as far as they get
            await served.client.get("/v1/models")
        async with asyncio.timeout(20):
            assert (await served.client.post("/v1/telemetry/traces", json={})).status == 200
        assert not any(task.done() for task in asking)
    finally:
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)


async def test_a_condition_is_about_what_a_caller_sees(served: Served) -> None:
    """Who tells of a span in another's trace learns nothing of the others in it."""
    telemetry = served.stack.api("telemetry")
    found = {}
    for name, color in (("ann", "red"), ("ben", "blue")):
        with serving_request(RequestContext(user=User(principal=name))):
            for event in (BEGIN, END):
                told = {**event, "span_id": name, "attributes": {"color": color}}
                await telemetry.log_event(LogEventRequest.model_validate({"event": told}))
    for name in ("ann", "ben"):
        with serving_request(RequestContext(user=User(principal=name))):
            for color in ("red", "blue"):
                condition = {"key": "color", "op": "eq", "value": color}
                asked = QueryTracesRequest.model_validate({"attribute_filters": [condition]})
                found[name, color] = [one.span_count for one in (await telemetry.query_traces(asked)).data]
    assert found == {("ann", "red"): [1], ("ann", "blue"): [], ("ben", "red"): [], ("ben", "blue"): [1]}
