"""A stack whose vendors fail on purpose: what its client sees is what it would see of a vendor that fails so."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.stacks import Served, run_config
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream
from runtime.faults.injection import TOLD, Faults
from runtime.faults.parsing import HEADER, read_faults
from runtime.recording.session import Mode, RecordingChoice, Session
from runtime.stack.interposed import Interposed, faults_of
from runtime.stack.plan import plan
from tests.support.listing import until
from tests.support.stacks import openai_at, serving

CHAT = "/v1/chat/completions"
WORDS = "one two three four five six seven eight"
BODY: dict[str, Any] = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": WORDS}], "store": False}
STREAM = {**BODY, "stream": True}
UNUSED = "http://127.0.0.1:9/v1"


def stack_with(
    faults: str, url: str, folder: Path, *, seed: int = 0, session: Session | None = None, **config: Any
) -> AbstractAsyncContextManager[Served]:
    """A stack with one vendor."""
    run = run_config(openai_at(url, **config))
    injected = faults_of(plan(run), read_faults([faults]), seed=seed)
    return serving(run, folder, interposed=Interposed(session, faults=injected))


@pytest.mark.parametrize(
    ("fault", "status", "kind", "code", "words"),
    [
        ("429", 429, "rate_limit_error", "rate_limit_exceeded", "`vendor` answered 429: This is an injected fault"),
        ("400", 400, "invalid_request_error", "upstream_error", "`vendor` answered 400: This is an injected fault"),
        ("401", 502, "upstream_error", "upstream_refused_key", "the key of provider `vendor` was not accepted"),
        ("500", 502, "server_error", "upstream_error", "`vendor` answered 500: This is an injected fault"),
        ("503", 503, "server_error", "upstream_error", "`vendor` answered 503: This is an injected fault"),
        ("timeout", 504, "upstream_error", "upstream_timeout", "did not begin to answer within 600 s"),
        ("unreachable", 503, "upstream_error", "upstream_unreachable", "cannot be reached at http://127.0.0.1"),
        ("bad-json", 502, "upstream_error", "upstream_error", "with no JSON (application/json; charset=utf-8)"),
    ],
)
async def test_what_a_client_sees(
    upstream: Upstream, tmp_path: Path, fault: str, status: int, kind: str, code: str, words: str
) -> None:
    async with stack_with(f"vendor: {fault}", upstream.url, tmp_path, network={"retries": 0}) as served:
        answer = await served.client.post(CHAT, BODY)
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["code"]) == (status, kind, code)
    assert words in error["message"] and "an injected fault" in error["message"]
    assert error.get("injected") in (fault, None)
    assert answer.headers[TOLD] == f"vendor {fault}"
    assert len(upstream.calls("/chat/completions")) == (fault == "bad-json")


async def test_a_caller_s_own_key_is_refused_to_the_caller(upstream: Upstream, tmp_path: Path) -> None:
    own = {"X-LlamaStack-Provider-Data": json.dumps({"openai_api_key": "sk-the-caller-s"})}
    async with stack_with("vendor: 401", upstream.url, tmp_path) as served:
        answer = await served.client.post(CHAT, BODY, headers=own)
    assert (answer.status, answer.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_a_429_says_when_to_come_back_and_is_mostly_healed(upstream: Upstream, tmp_path: Path) -> None:
    async with stack_with("vendor: 429 first 2", upstream.url, tmp_path) as served:
        healed = await served.client.post(CHAT, BODY)
    assert (healed.status, healed.headers["x-llama-retries"]) == (200, "2")
    assert healed.headers[TOLD] == "vendor 429, vendor 429"
    assert len(upstream.calls("/chat/completions")) == 1
    async with stack_with("vendor: 429", upstream.url, tmp_path) as served:
        refused = await served.client.post(CHAT, BODY)
    assert (refused.status, refused.headers["x-llama-retries"], refused.headers["retry-after"]) == (429, "2", "1")
    assert (refused.headers["retry-after-ms"], refused.headers["x-should-retry"]) == ("100", "false")


async def test_what_is_not_reached_is_sent_again_too(upstream: Upstream, tmp_path: Path) -> None:
    async with stack_with("vendor: unreachable first 1", upstream.url, tmp_path) as served:
        healed = await served.client.post(CHAT, BODY)
    assert (healed.status, healed.headers["x-llama-retries"]) == (200, "1")


async def test_the_same_requests_have_the_same_faults(upstream: Upstream, tmp_path: Path) -> None:
    async def statuses(seed: int, folder: str) -> list[int]:
        async with stack_with("vendor: 503 40%", upstream.url, tmp_path / folder, seed=seed) as served:
            return [(await served.client.post(CHAT, BODY)).status for _ in range(20)]

    first = await statuses(3, "a")
    assert await statuses(3, "b") == first and {*first} == {200, 503}
    assert await statuses(4, "c") != first


async def test_a_stream_is_cut_after_its_first_events_and_has_no_done(upstream: Upstream, tmp_path: Path) -> None:
    async with stack_with("vendor: cut-stream", upstream.url, tmp_path) as served:
        answers = [await served.client.post(CHAT, STREAM) for _ in range(6)]
        whole = await served.client.post(CHAT, BODY)
        vectors = await served.client.post("/v1/embeddings", {"model": EMBEDDING_MODEL, "input": "a"})
    assert (whole.status, vectors.status, TOLD in whole.headers) == (200, 200, False)
    lengths = set()
    for answer in answers:
        assert (answer.status, answer.headers[TOLD]) == (200, "vendor cut-stream")
        *events, error = [json.loads(payload) for payload in answer.payloads()]
        assert "broke off its answer" in error["error"]["message"] and "an injected fault" in error["error"]["message"]
        lengths.add(len(events))
    assert lengths <= {1, 2, 3} and len(lengths) > 1


async def test_an_event_that_is_no_json_fails_a_stream(upstream: Upstream, tmp_path: Path) -> None:
    async with stack_with("vendor: bad-json", upstream.url, tmp_path) as served:
        answer = await served.client.post(CHAT, STREAM)
    *events, error = [json.loads(payload) for payload in answer.payloads()]
    assert len(events) == 1 and "sent an event that is not JSON" in error["error"]["message"]
    assert "an injected fault" in error["error"]["message"]


async def test_a_slow_answer_comes_late_and_one_that_is_too_slow_not_at_all(upstream: Upstream, tmp_path: Path) -> None:
    async with stack_with("vendor: slow 60ms", upstream.url, tmp_path) as served:
        late = await served.client.post(CHAT, BODY)
    assert late.status == 200 and late.headers[TOLD] == "vendor slow 60ms"
    assert float(late.headers["server-timing"].rpartition("dur=")[2]) >= 60  # the upstream's part of it
    limits = {"timeout": {"read": 0.05}}
    async with stack_with("vendor: slow 1h", upstream.url, tmp_path, network=limits) as served:
        never = await served.client.post(CHAT, BODY)
    assert (never.status, never.error["code"]) == (504, "upstream_timeout")
    assert "did not begin to answer within 0.05 s" in never.error["message"]


async def test_who_leaves_does_not_wait_for_a_slow_answer(
    upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="runtime.faults.injection")
    async with stack_with("vendor: slow 1h", upstream.url, tmp_path) as served:
        head = {"content-type": "application/json"}
        call = served.client.call("POST", CHAT, headers=head, body=json.dumps(BODY).encode())
        await until(lambda: "fault injected" in caplog.messages)
        await call.leave()
    assert upstream.calls("/chat/completions") == []


async def test_one_that_is_down_says_so_until_it_is_back(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [1.0]
    monkeypatch.setattr(Faults, "passed_s", property(lambda _: passed[0]))
    async with stack_with("vendor: down 5s", upstream.url, tmp_path) as served:
        health = (await served.client.get("/v1/providers/vendor")).json()["health"]
        refused = await served.client.post(CHAT, {**BODY, "model": f"vendor/{CHAT_MODEL}"})
        assert served.stack.degraded().keys() == {"vendor"}
        passed[0] = 5.0
        back = (await served.client.get("/v1/providers/vendor")).json()["health"]
        answered = await served.client.post(CHAT, BODY)
        assert served.stack.degraded() == {}
    assert health["status"] == "Error" and "cannot be reached" in health["message"] and "injected" in health["message"]
    assert refused.status == 503 and "cannot be reached" in refused.error["message"]
    assert refused.headers[TOLD].startswith("vendor down")
    assert (back["status"], answered.status, TOLD in answered.headers) == ("OK", 200, False)


async def test_a_server_starts_whatever_the_shares(upstream: Upstream, tmp_path: Path) -> None:
    async with stack_with("vendor: 500", upstream.url, tmp_path) as served:
        listed = [one["id"] for one in (await served.client.get("/v1/models")).json()["data"]]
        health = (await served.client.get("/v1/providers/vendor")).json()["health"]
    assert f"vendor/{CHAT_MODEL}" in listed and health["status"] == "OK"


async def test_a_request_asks_for_its_own_faults(upstream: Upstream, tmp_path: Path) -> None:
    async with stack_with("header", upstream.url, tmp_path) as served:
        client = served.client
        mine = await client.post(CHAT, BODY, headers={HEADER: "vendor: 503"})
        others = await client.post(CHAT, BODY)
        healed = await client.post(CHAT, BODY, headers={HEADER: "vendor: 429 first 1"})
        again = await client.post(CHAT, BODY, headers={HEADER: "vendor: 429 first 1"})
    assert (mine.status, mine.headers[TOLD], others.status, TOLD in others.headers) == (503, "vendor 503", 200, False)
    assert [one.headers["x-llama-retries"] for one in (healed, again)] == ["1", "1"]


async def test_a_header_that_comes_twice_counts_twice(upstream: Upstream, tmp_path: Path) -> None:
    async with stack_with("header", upstream.url, tmp_path) as served:
        both = await served.client.post(CHAT, BODY, headers={HEADER: "vendor: slow 1ms, 500", HEADER.lower(): "*: 503"})
        twice = await served.client.post(CHAT, BODY, headers={HEADER: "vendor: 500", HEADER.lower(): "vendor: 503"})
    assert (both.status, both.headers[TOLD]) == (502, "vendor slow 1ms, vendor 500")
    assert twice.status == 400 and "`vendor` has two entries" in twice.error["message"]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("größe: 500", "there is no provider `größe`"),
        ("vendor: 42", "`vendor`: `42` is no fault"),
        ("vndor: 429", "there is no provider `vndor` (did you mean `vendor`?)"),
        ("vendor: down", "a server is down for all requests, not for one (write `unreachable`)"),
        ("vendor: 200; x", "200 is not the status of a failure (those are 400 to 599); `x` does not say"),
        ("", "nothing is said to go wrong"),
    ],
)
async def test_a_wrong_header_is_refused(upstream: Upstream, tmp_path: Path, header: str, words: str) -> None:
    async with stack_with("header", upstream.url, tmp_path) as served:
        refused = await served.client.post(CHAT, BODY, headers={HEADER: header.encode()})
        listing = await served.client.get("/v1/models", headers={HEADER: header.encode()})
    assert (refused.status, refused.error["param"], listing.status) == (400, HEADER, 400)
    assert words in refused.error["message"]


async def test_a_server_that_was_not_started_for_it_takes_no_header(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        answer = await served.client.post(CHAT, BODY, headers={HEADER: "vendor: 500"})
    assert (answer.status, TOLD in answer.headers) == (200, False)
    assert answer.headers["x-llama-warnings"] == f"{HEADER} has no effect: the server was not started with `--inject`"


def session(mode: Mode, folder: Path) -> Session:
    return Session(RecordingChoice(mode=mode, folder=folder / "recordings"))


async def test_faults_are_not_recorded_and_happen_to_replays(upstream: Upstream, tmp_path: Path) -> None:
    async with stack_with(
        "vendor: 429 first 1, cut-stream", upstream.url, tmp_path / "a", session=session("record", tmp_path)
    ) as served:
        told = await served.client.post(CHAT, BODY)
        cut = await served.client.post(CHAT, STREAM)
    texts = [path.read_text() for path in (tmp_path / "recordings").rglob("*.json")]
    assert texts and not [text for text in texts if "injected" in text]
    async with stack_with("vendor: 503 every 9", UNUSED, tmp_path / "b", session=session("replay", tmp_path)) as served:
        again = await served.client.post(CHAT, BODY)
        whole = await served.client.post(CHAT, STREAM)
    assert (told.status, told.headers["x-llama-retries"]) == (200, "1") and again.json() == told.json()
    # What was cut on its way is recorded whole.
    assert cut.payloads()[-1] != "[DONE]" and whole.payloads()[-1] == "[DONE]"
    faults = "vendor: 429 every 2, bad-json first 1"
    async with stack_with(faults, UNUSED, tmp_path / "c", session=session("replay", tmp_path)) as served:
        spoilt, healed = [await served.client.post(CHAT, BODY) for _ in range(2)]
    assert (spoilt.status, spoilt.headers[TOLD]) == (502, "vendor bad-json")
    assert (healed.status, healed.headers["x-llama-retries"], healed.headers[TOLD]) == (200, "1", "vendor 429")
    assert healed.json() == told.json()


async def test_a_recorded_refusal_is_not_asked_for_again(upstream: Upstream, tmp_path: Path) -> None:
    """What came after it was recorded too."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        error = {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}
        return web.json_response({"error": error}, status=429, headers={"retry-after": "0"})

    async with stack_with("header", upstream.url, tmp_path / "a", session=session("record", tmp_path)) as served:
        upstream.misbehaves = refuse
        refused = await served.client.post(CHAT, BODY)
    async with stack_with("header", UNUSED, tmp_path / "b", session=session("replay", tmp_path)) as served:
        again = await served.client.post(CHAT, BODY)
    assert refused.headers["x-llama-retries"] == "2"
    assert (again.status, again.error, "x-llama-retries" in again.headers) == (429, refused.error, False)
