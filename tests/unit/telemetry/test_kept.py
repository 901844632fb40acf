"""Traces that are kept by a stack: what its API says of a request, and who may ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.access import User
from runtime.apis.telemetry.traces import QuerySqlRequest, QueryTracesRequest, TraceRequest
from runtime.clock import wall_time
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import Upstream, refusal
from runtime.conformance.upstream.scripted import Script, says
from runtime.context import RequestContext
from runtime.context import serving as serving_request
from runtime.errors import AccessDenied, NotFound
from runtime.providers.telemetry.builtin.config import TelemetryConfig
from runtime.providers.telemetry.builtin.tables import TRACES
from runtime.telemetry import conventions as names
from runtime.telemetry.described.inference import Generation
from runtime.telemetry.requests import begin_request, end_request
from runtime.telemetry.spans import begin, inside
from runtime.telemetry.trace_context import parsed
from tests.support.calls import answering
from tests.support.stacks import openai_at

TELEMETRY = [{"provider_id": "builtin", "provider_type": "inline::builtin"}]
HAS_ROUTE = {"key": "http.route", "op": "ne", "value": ""}
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CHAT = {"model": "vendor/chat", "messages": [{"role": "user", "content": "a secret of mine"}]}


@asynccontextmanager
async def stack(upstream: Upstream, folder: Path, **config: Any) -> AsyncIterator[Served]:
    telemetry = [{**TELEMETRY[0], "config": config}]
    run = run_config(providers={"inference": [openai_at(upstream.url)], "telemetry": telemetry})
    async with serving(run, folder) as served:
        yield served


async def asked(served: Served, path: str, **body: Any) -> Any:
    answer = await served.client.post(f"/v1/telemetry/{path}", json=body)
    assert answer.status == 200, answer.json()
    return answer.json()


async def test_a_chat_is_a_trace_down_to_the_request_that_its_vendor_gets(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = ["chat"]
    async with stack(upstream, tmp_path) as served:
        answer = await served.client.post(
            "/v1/chat/completions", json=CHAT, headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "a=1"}
        )
        assert answer.status == 200
        trace = (await served.client.get(f"/v1/telemetry/traces/{TRACE}")).json()
        assert (trace["name"], trace["status"], trace["span_count"]) == ("POST /v1/chat/completions", "ok", 3)
        assert trace["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["x-trace-id"] == TRACE
        assert "x-trace-id" not in (await served.client.get(f"/v1/telemetry/traces/{TRACE}")).headers
        tree = (await asked(served, f"spans/{trace['root_span_id']}/tree"))["data"]
        root = tree[trace["root_span_id"]]
        [chat] = [span for span in tree.values() if span["parent_span_id"] == root["span_id"]]
        [attempt] = [span for span in tree.values() if span["parent_span_id"] == chat["span_id"]]
        assert (root["parent_span_id"], root["kind"]) == (CALLER, "server")
        assert root["attributes"]["http.route"] == "/v1/chat/completions"
        assert root["attributes"]["http.response.status_code"] == 200
        assert root["attributes"]["llama_stack.overhead_ms"] == float(answer.headers["x-llama-overhead-ms"])
        assert (chat["name"], chat["kind"]) == ("chat chat", "client")
        assert chat["attributes"]["gen_ai.usage.input_tokens"] == answer.json()["usage"]["prompt_tokens"]
        assert (attempt["name"], attempt["attributes"]["server.address"]) == ("POST", "127.0.0.1")
        [sent] = upstream.calls("/chat/completions")
        assert sent.headers["traceparent"] == f"00-{TRACE}-{attempt['span_id']}-01"
        assert sent.headers["tracestate"] == "a=1"
        times = [(span["start_time"], span["end_time"]) for span in (root, chat, attempt)]
        assert all(outer[0] <= inner[0] and inner[1] <= outer[1] for outer, inner in pairwise(times))
        assert "secret" not in str(tree)


async def test_what_is_sent_again_and_what_fails_is_there(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = ["chat"]
    upstream.misbehaves = answering(lambda: refusal(429, "slow down", headers={"retry-after": "0"}))
    async with stack(upstream, tmp_path) as served:
        answer = await served.client.post("/v1/chat/completions", json=CHAT)
        assert answer.status == 429
        found = (await asked(served, "spans", attribute_filters=[{"key": "error", "op": "ne", "value": ""}]))["data"]
        *attempts, chat = sorted(found, key=lambda span: span["end_time"])
        assert [span["attributes"]["http.response.status_code"] for span in attempts] == [429] * 3
        assert (chat["name"], chat["status"]) == ("chat chat", "error")
        assert "slow down" in chat["message"]


async def test_traces_are_found_by_what_they_led_to(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = ["chat", "other"]
    async with stack(upstream, tmp_path) as served:
        for model in ("chat", "other", "none"):
            await served.client.post("/v1/chat/completions", json={**CHAT, "model": f"vendor/{model}"})
        every = (await asked(served, "traces"))["data"]
        assert [one["status"] for one in every] == ["ok"] * 3  # what a caller does wrong is no failure of a server
        assert [one["start_time"] for one in every] == sorted((one["start_time"] for one in every), reverse=True)
        [other] = (
            await asked(
                served, "traces", attribute_filters=[{"key": "gen_ai.request.model", "op": "eq", "value": "other"}]
            )
        )["data"]
        refused = (
            await asked(
                served, "traces", attribute_filters=[{"key": "http.response.status_code", "op": "gt", "value": 399}]
            )
        )["data"]
        assert [one["trace_id"] for one in (refused[0], other)] == [every[0]["trace_id"], every[1]["trace_id"]]
        pages = [
            (await asked(served, "traces", limit=1, offset=place, order_by=["start_time"]))["data"]
            for place in range(4)
        ]
        assert [one["trace_id"] for page in pages for one in page] == [one["trace_id"] for one in reversed(every)]
        only = (await asked(served, "spans", attributes_to_return=["gen_ai.request.model"]))["data"]
        assert {name for span in only for name in span["attributes"]} == {"gen_ai.request.model"}
        tokens = await asked(
            served, "query", sql="SELECT model, sum(input_tokens) FROM spans WHERE model IS NOT NULL GROUP BY 1"
        )
        assert (tokens["columns"][0], {row[0] for row in tokens["rows"]}) == ("model", {"chat", "other"})


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("traces", {"order_by": ["colour"]}, 400, "`colour` is no order"),
        ("traces", {"limit": 0}, 400, "limit"),
        ("query", {"sql": "DROP TABLE traces"}, 400, "a query is one SELECT"),
        ("query", {"sql": "SELEC 1"}, 400, "syntax error"),
        ("spans/0000000000000001/tree", {}, 404, "There is no span `0000000000000001`"),
    ],
)
async def test_what_is_wrong_is_told(
    upstream: Upstream, tmp_path: Path, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    async with stack(upstream, tmp_path) as served:
        answer = await served.client.post(f"/v1/telemetry/{path}", json=body)
        assert (answer.status, words in answer.json()["error"]["message"]) == (status, True), answer.body


async def test_a_caller_sees_its_own_traces_and_nobody_s(upstream: Upstream, tmp_path: Path) -> None:
    async with stack(upstream, tmp_path) as served:
        processor = served.stack.processor
        assert processor is not None
        ids = {}
        for owner in ("ann", "bob", None):
            user = User(principal=owner) if owner else served.stack.nameless
            begun = begin_request(processor, "req_1", user, None)
            begun.end()
            ids[owner] = begun.trace.id
        telemetry = served.stack.api("telemetry")
        with serving_request(RequestContext(user=User(principal="ann"))):
            seen = {one.trace_id for one in (await telemetry.query_traces(QueryTracesRequest())).data}
            assert seen == {ids["ann"], ids[None]}
            with pytest.raises(NotFound):
                await telemetry.get_trace(TraceRequest(trace_id=ids["bob"]))
            with pytest.raises(AccessDenied):
                await telemetry.query_sql(QuerySqlRequest(sql="SELECT 1"))
        every = (await asked(served, "traces"))["data"]
        assert {one["trace_id"] for one in every} == {*ids.values()}


async def test_a_list_reads_what_its_page_has_and_nothing_else(upstream: Upstream, tmp_path: Path) -> None:
    async with stack(upstream, tmp_path) as served:
        analytics = served.stack._stores.analytics()
        for _ in range(2):  # each request is a row of its own, and so a trace of two
            for trace in ("a", "b", "c"):
                headers = {"traceparent": f"00-{trace * 32}-{CALLER}-01"}
                await served.client.get("/v1/models", headers=headers)
            await asked(served, "traces")
        whole = (await asked(served, "traces", order_by=["-start_time", "duration"]))["data"]
        assert [(one["trace_id"][0], one["span_count"]) for one in whole] == [("c", 2), ("b", 2), ("a", 2)]
        old = {"began": wall_time() - 3600, "trace_id": "d" * 32, "request_id": "req_1", "owner": None}
        await analytics.append(TRACES, [{**old, "spans": "no JSON"}])
        assert (await asked(served, "traces", limit=3))["data"] == whole
        assert (await asked(served, "traces", limit=1, offset=1))["data"] == whole[1:2]
        since = whole[1]["start_time"]
        assert (await asked(served, "traces", since=since))["data"] == whole[:2]
        assert (await asked(served, "traces", since=since, order_by=["start_time"]))["data"] == whole[1::-1]
        answer = await served.client.post("/v1/telemetry/traces", json={"limit": 4})
        assert answer.status != 200, "what is of the page is read"


async def test_a_trace_that_its_caller_does_not_sample_is_not_kept(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = ["chat"]
    async with stack(upstream, tmp_path) as served:
        for flags in ("00", "01"):
            headers = {"traceparent": f"00-{TRACE[:-2]}{flags}-{CALLER}-{flags}"}
            assert (await served.client.post("/v1/chat/completions", json=CHAT, headers=headers)).status == 200
        assert [one["trace_id"][-2:] for one in (await asked(served, "traces"))["data"]] == ["01"]
        assert [
            parsed(seen.headers["traceparent"].encode()).is_sampled for seen in upstream.calls("/chat/completions")
        ] == [  # type: ignore[union-attr]
            False,
            True,
        ]


async def test_traces_are_there_after_a_restart_and_go_when_they_are_old(upstream: Upstream, tmp_path: Path) -> None:
    async with stack(upstream, tmp_path) as served:
        await served.client.get("/v1/models")
    async with stack(upstream, tmp_path) as served:
        [kept] = (await asked(served, "traces"))["data"]
        assert kept["name"] == "GET /v1/models"
        analytics = served.stack._stores.analytics()
        assert await analytics.remove_before(TRACES, wall_time() - 60) == 0
    async with stack(upstream, tmp_path, keep_days=1e-9) as served:
        async with asyncio.timeout(20):
            while (await asked(served, "traces"))["data"]:
                pass


async def test_of_many_traces_the_latest_stay(upstream: Upstream, tmp_path: Path) -> None:
    async with stack(upstream, tmp_path) as served:
        for _ in range(5):
            await served.client.get("/v1/models")
        latest = [one["trace_id"] for one in (await asked(served, "traces"))["data"]][:2]
    async with stack(upstream, tmp_path, keep_traces=2) as served:
        async with asyncio.timeout(20):
            while len(found := (await asked(served, "traces"))["data"]) > 2:
                pass
        assert [one["trace_id"] for one in found] == latest


async def test_a_trace_of_several_rows_is_one_of_those_that_stay(upstream: Upstream, tmp_path: Path) -> None:
    async with stack(upstream, tmp_path) as served:
        now, analytics = wall_time(), served.stack._stores.analytics()
        row = {"spans": '[{"span_id": "1", "name": "a", "kind": "server", "began": 1, "seconds": 1, "attributes": {}}]'}
        began = {"first": (9, 8), "second": (7, 4), "third": (6, 5)}  # seconds ago
        for trace, ago in began.items():
            await analytics.append(TRACES, [{**row, "trace_id": trace, "began": now - one} for one in ago])
    async with stack(upstream, tmp_path, keep_traces=2) as served:
        async with asyncio.timeout(20):
            while (await served.client.get("/v1/telemetry/traces/first")).status == 200:
                pass
        counts = [one["span_count"] for one in (await asked(served, "traces"))["data"]]
        assert counts == [2, 2]


@pytest.mark.parametrize("config", [{"keep_days": float("inf")}, {"keep_days": 1e9}, {"keep_traces": 2**63}])
def test_what_nobody_lives_to_see_is_no_retention(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="less than or equal to"):
        TelemetryConfig.model_validate(config)


async def test_without_a_provider_nothing_is_kept_and_the_caller_s_trace_goes_on(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.models = ["chat"]
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        assert served.stack.processor is None
        header = f"00-{TRACE}-{CALLER}-01"
        await served.client.post("/v1/chat/completions", json=CHAT, headers={"traceparent": header})
        assert [seen.headers["traceparent"] for seen in upstream.calls("/chat/completions")] == [header]
        assert (await served.client.post("/v1/telemetry/traces", json={})).status == 404


async def test_a_list_says_how_each_request_was_answered(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = ["chat"]
    async with stack(upstream, tmp_path) as served:
        started = datetime.now(UTC)
        answer = await served.client.post("/v1/chat/completions", json=CHAT)
        usage = answer.json()["usage"]
        upstream.misbehaves = answering(lambda: refusal(401, "no such key"))
        await served.client.post("/v1/chat/completions", json=CHAT)
        await served.client.post("/v1/chat/completions", json={**CHAT, "model": "vendor/none"})
        unknown, refused, fine = (await asked(served, "traces", since=started.isoformat()))["data"]
        assert (fine["http_status"], fine["model"], fine["message"]) == (200, "chat", None)
        assert (fine["input_tokens"], fine["output_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
        assert refused["http_status"] >= 400 and "no such key" in refused["message"]
        assert (unknown["http_status"], unknown["model"], unknown["input_tokens"]) == (404, None, None)
        assert (await asked(served, "traces", failed=True))["data"] == [unknown, refused]
        upstream.misbehaves = Script(says("Once ", "upon", breaks="cut"))
        await served.client.post("/v1/chat/completions", json={**CHAT, "stream": True})
        [broken, *_] = (await asked(served, "traces", failed=True))["data"]
        assert (broken["http_status"], bool(broken["message"])) == (200, True)


async def test_a_stream_that_fails_is_a_request_that_failed(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = ["chat"]
    async with stack(upstream, tmp_path) as served:
        upstream.misbehaves = Script(says("Once ", "upon", breaks="cut"))
        answer = await served.client.post("/v1/chat/completions", json={**CHAT, "stream": True})
        assert answer.status == 200
        assert served.stack.processor is not None and served.stack.last_hour is not None
        await served.stack.processor.flush()
        hour = served.stack.last_hour.summary()
        assert (hour.requests, hour.errors) == (1, 1)
        [request] = (await asked(served, "spans", attribute_filters=[HAS_ROUTE]))["data"]
        assert request["status"] == "error"


@pytest.mark.parametrize("is_left", [True, False])
async def test_what_is_left_before_its_end_has_not_failed(is_left: bool, upstream: Upstream, tmp_path: Path) -> None:
    async with stack(upstream, tmp_path) as served:
        assert served.stack.processor is not None
        request = begin_request(served.stack.processor, "req_1", User(principal="ann"), None)
        with inside(request):
            call = begin("chat m", {names.API: "inference", names.PROVIDER_ID: "vendor"}, "client")
            assert call is not None
            call.fail(asyncio.CancelledError() if is_left else NotFound("not here"))
            call.end()
        end_request(request, "POST", "/v1/chat/completions", "http", None, 200, 1.0, 0.0)
        failed = (await asked(served, "traces", failed=True))["data"]
        assert [one["message"] for one in failed] == ([] if is_left else ["not here"])


async def test_no_secret_of_the_configuration_is_kept(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = ["chat"]
    async with stack(upstream, tmp_path) as served:
        secret = "sk-configured-secret"
        await served.client.get(f"/v1/models/{secret}", headers={"x-request-id": f"req-{secret}"})
        await served.client.post("/v1/chat/completions", json={**CHAT, "model": secret})
        first, second = (await asked(served, "traces", order_by=["start_time"]))["data"]
        assert first["request_id"] == "req-********" and second["http_status"] == 404
        rows = (await asked(served, "query", sql="SELECT * FROM traces"))["rows"]
        assert secret not in str(rows) and "/v1/models/********" in str(rows)


async def test_where_telemetry_is_off_an_answer_says_so(upstream: Upstream, tmp_path: Path) -> None:
    run = run_config(
        providers={"inference": [openai_at(upstream.url)], "telemetry": TELEMETRY}, telemetry={"enabled": False}
    )
    async with serving(run, tmp_path) as served:
        answer = await served.client.post("/v1/telemetry/traces", json={})
        assert (answer.status, answer.json()["data"]) == (200, [])
        assert "telemetry is turned off" in answer.headers["x-llama-warnings"]


async def test_what_cannot_be_told_fails_no_request(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("of the telling")

    upstream.models = ["chat"]
    for name in ("taken", "told", "answer", "stream"):
        monkeypatch.setattr(Generation, name, fails)
    async with stack(upstream, tmp_path) as served:
        for body in (CHAT, {**CHAT, "stream": True}):
            assert (await served.client.post("/v1/chat/completions", json=body)).status == 200
        traces = (await asked(served, "traces"))["data"]
        assert [(one["http_status"], one["span_count"]) for one in traces] == [(200, 3), (200, 3)]


async def test_the_tokens_of_a_response_are_those_of_its_models(upstream: Upstream, tmp_path: Path) -> None:
    upstream.models = ["chat"]
    responses = {"provider_id": "responses", "provider_type": "inline::builtin"}
    run = run_config(
        providers={"inference": [openai_at(upstream.url)], "telemetry": TELEMETRY, "responses": [responses]}
    )
    async with serving(run, tmp_path) as served:
        answer = await served.client.post("/v1/responses", json={"model": "vendor/chat", "input": "a secret of mine"})
        usage = answer.json()["usage"]
        [trace] = (await asked(served, "traces"))["data"]
        assert (trace["model"], trace["http_status"]) == ("chat", 200)
        assert (trace["input_tokens"], trace["output_tokens"]) == (usage["input_tokens"], usage["output_tokens"])


async def test_traces_are_found_by_when_they_began_and_how_an_id_begins(upstream: Upstream, tmp_path: Path) -> None:
    async with stack(upstream, tmp_path) as served:
        ids = []
        for trace in (f"aa{TRACE[2:]}", f"ab{TRACE[2:]}"):
            headers = {"traceparent": f"00-{trace}-{CALLER}-01", "x-request-id": f"mine-{trace[:2]}"}
            ids.append((await served.client.get("/v1/models", headers=headers)).headers["x-request-id"])
        every = (await asked(served, "traces"))["data"]

        async def found(**wanted: Any) -> list[str]:
            return [one["request_id"] for one in (await asked(served, "traces", **wanted))["data"]]

        assert ids == ["mine-aa", "mine-ab"]
        for begin, expected in {"a": 2, "ab": 1, "b": 0, "": 2}.items():
            beginning = {"op": "starts_with", "value": begin}
            assert len(await found(attribute_filters=[{"key": "trace_id", **beginning}])) == expected
            assert (
                len(
                    await found(
                        attribute_filters=[{"key": "request_id", "op": "starts_with", "value": f"mine-{begin}"}]
                    )
                )
                == expected
            )
            assert (
                len(
                    await found(
                        attribute_filters=[
                            {"key": "llama_stack.request.id", "op": "starts_with", "value": f"mine-{begin}"}
                        ]
                    )
                )
                == expected
            )
        assert await found(since=every[0]["start_time"]) == ["mine-ab"]
        assert await found(since=every[1]["start_time"]) == ["mine-ab", "mine-aa"]
        path = {"key": "url.path", "op": "eq", "value": "/v1/models"}
        assert await found(since=every[0]["start_time"], attribute_filters=[path]) == ["mine-ab"]
        assert await found(since="2999-01-01T00:00:00Z") == []
