"""How a provider's answers, streams and failures go out, and what a client that leaves ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from runtime.apis._api import Route
from runtime.conformance.asgi import Answered, Client
from runtime.errors import RateLimited
from runtime.server.answer import Answer
from runtime.server.incoming import Incoming
from runtime.server.ongoing import Ongoing
from runtime.sse import EventStream, Frames, Reply
from tests.support.house import Prober


async def test_an_error_has_its_status_its_headers_and_openai_s_shape(client: Client, prober: Prober) -> None:
    async def refuse() -> None:
        raise RateLimited("too fast", param="speed", headers={"retry-after": "7"})

    prober.before_answer = refuse
    answer = await client.get("/v1/things/a")
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert answer.error == {
        "message": "too fast",
        "type": "rate_limit_error",
        "param": "speed",
        "code": "rate_limit_exceeded",
    }


@pytest.mark.parametrize("failure", [ValueError("a secret detail"), KeyError("k"), RuntimeError("x")])
async def test_a_bug_is_a_500_without_its_words_which_the_log_has(
    client: Client, prober: Prober, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise failure

    prober.before_answer = fail
    answer = await client.get("/v1/things/a")
    assert (answer.status, answer.error["code"], answer.error["type"]) == (500, "internal_error", "server_error")
    assert answer.headers["x-should-retry"] == "false"
    assert str(failure) not in answer.error["message"]
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [failure]


def events_of(answer: Answered) -> list[str]:
    return [block for block in answer.body.decode().split("\n\n") if block]


async def test_a_stream_of_models_names_its_events_and_ends_once(client: Client) -> None:
    answer = await client.post("/v1/tell", {"events": 2})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert "content-length" not in answer.headers
    assert events_of(answer) == [
        'event: thing.told\ndata: {"type":"thing.told","number":0}',
        'event: thing.told\ndata: {"type":"thing.told","number":1}',
        "data: [DONE]",
    ]


async def test_an_event_is_sent_when_it_is_there(client: Client, prober: Prober) -> None:
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    prober.before_event = wait
    call = client.call("POST", "/v1/tell")
    await call.start()
    first = await call.chunk()
    assert first is not None and b'"number":0' in first
    assert not prober.ended.is_set()
    gate.set()
    assert (await call.rest()).endswith(b"data: [DONE]\n\n")
    await call.task


async def test_a_failure_before_the_first_event_is_a_real_status(client: Client) -> None:
    answer = await client.post("/v1/tell", {"fails_after": 0})
    assert (answer.status, answer.error["message"]) == (503, "the teller has lost its voice")
    assert answer.headers["content-type"] == "application/json"


async def test_a_failure_after_it_is_an_error_event_and_no_done(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "runtime.server.answer"):
        answer = await client.post("/v1/tell", {"fails_after": 1}, headers={"x-request-id": "mine"})
    assert answer.status == 200
    [line] = [record for record in caplog.records if record.name == "runtime.server.answer"]
    assert line.getMessage() == "an answer that had begun has failed" and line.__dict__["error"] == "unavailable"
    assert "voice" not in caplog.text, "a vendor's words may quote the prompt"
    first, failed = answer.payloads()  # `[DONE]` says that an answer is whole, and this one is not
    assert json.loads(first)["number"] == 0
    assert json.loads(failed) == {
        "error": {
            "message": "the teller has lost its voice",
            "type": "unavailable_error",
            "param": None,
            "code": "unavailable",
        },
        "request_id": "mine",
    }


async def test_a_stream_without_events_is_a_whole_answer(client: Client) -> None:
    answer = await client.post("/v1/tell", {"events": 0})
    assert (answer.status, answer.payloads()) == (200, ["[DONE]"])


async def test_an_answer_that_is_stopped_after_its_first_byte_says_so(client: Client, prober: Prober) -> None:
    reached = asyncio.Event()

    async def stall() -> None:
        reached.set()
        await asyncio.Event().wait()

    prober.before_event = stall
    call = client.call("POST", "/v1/tell")
    await call.start()
    await reached.wait()
    assert client.app.ongoing.end("the server is stopping") == 1
    first, failed = [line for line in (await call.rest()).decode().split("\n\n") if line]
    assert '"number":0' in first
    assert json.loads(failed.removeprefix("data: "))["error"]["message"] == "the server is stopping"
    await call.task
    assert prober.ended.is_set()
    assert client.app.ongoing.end("again") == 0


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/tell"), ("GET", "/v1/things/a")])
async def test_an_answer_that_is_stopped_before_its_first_byte_is_a_503(
    client: Client, prober: Prober, method: str, path: str
) -> None:
    reached = asyncio.Event()

    async def stall() -> None:
        reached.set()
        await asyncio.Event().wait()

    prober.before_answer = stall
    call = client.call(method, path)
    await reached.wait()
    assert client.app.ongoing.end("the server is stopping") == 1
    assert (await call.start())[0] == 503
    assert "the server is stopping" in (await call.rest()).decode()
    await call.task
    assert prober.ended.is_set()


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_whose_last_bytes_are_on_their_way_is_not_stopped_any_more(stream: bool) -> None:
    sent: list[Any] = []
    sending, go_on = asyncio.Event(), asyncio.Event()

    async def frames() -> AsyncGenerator[Frames, None]:
        yield Frames(b"data: {}\n\n")

    async def nothing() -> None:
        pass

    received = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(received, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and not message["more_body"]:
            sending.set()
            await go_on.wait()
        sent.append(message)

    incoming = Incoming({}, receive, limit=0)
    await incoming.body()
    result = EventStream(frames(), nothing) if stream else Reply(b"{}")
    ongoing, route = Ongoing(), Route(method="POST", path="/x", ends_with_done=True)
    answer = Answer(lambda: result, route=route, incoming=incoming, ongoing=ongoing)
    serving_it = asyncio.create_task(answer.serve(send))
    await sending.wait()
    assert ongoing.end("the server is stopping") == 1
    go_on.set()
    await serving_it
    assert sent[-1]["body"] == (b"data: [DONE]\n\n" if stream else b"{}")


async def test_a_provider_that_wants_to_end_the_process_ends_its_request(client: Client, prober: Prober) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    prober.before_answer = leave
    for path, body in (("/v1/things/a", {"name": "n"}), ("/v1/tell", {})):
        assert (await client.post(path, body)).status == 500
    prober.before_answer = no_wait
    prober.before_event = leave
    answer = await client.post("/v1/tell")
    assert json.loads(answer.payloads()[-1])["error"]["code"] == "internal_error"


@pytest.mark.parametrize("moment", ["before_answer", "before_event"])
async def test_a_provider_that_waits_for_what_is_cancelled_is_a_failure_of_ours(
    client: Client, prober: Prober, moment: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def wait() -> None:
        shared = asyncio.get_running_loop().create_future()
        shared.cancel()
        await shared

    setattr(prober, moment, wait)
    answer = await client.post("/v1/tell")
    if moment == "before_answer":
        assert (answer.status, answer.error["code"]) == (500, "internal_error")
    else:
        assert json.loads(answer.payloads()[-1])["error"]["code"] == "internal_error"
    assert prober.ended.is_set() and "in wait" in caplog.text


async def test_a_stream_that_is_complete_is_not_stopped_any_more() -> None:
    ongoing = Ongoing()
    sent: list[Any] = []

    async def frames() -> AsyncGenerator[Frames, None]:
        yield Frames(b"data: {}\n\n")
        yield Frames(b"data: {}\n\n")
        asyncio.get_running_loop().call_soon(ongoing.end, "the server is stopping")

    async def nothing() -> None:
        pass

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    incoming = Incoming({}, receive, limit=0)
    await incoming.skip()
    stream, route = EventStream(frames(), nothing), Route(method="POST", path="/x", ends_with_done=True)
    await Answer(lambda: stream, route=route, incoming=incoming, ongoing=ongoing).serve(send)
    assert sent[-1]["body"] == b"data: [DONE]\n\n"


async def no_wait() -> None:
    pass


# Clients that leave


async def test_leaving_before_the_answer_ends_the_call_to_its_last_finally(client: Client, prober: Prober) -> None:
    arrived = asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await asyncio.Event().wait()

    prober.before_answer = wait
    call = client.call("GET", "/v1/things/a")
    await arrived.wait()
    await call.leave()
    assert prober.ended.is_set()
    assert await call.chunk() is None  # nothing was sent to nobody


async def test_leaving_before_the_first_event_ends_the_stream_to_its_last_finally(
    client: Client, prober: Prober
) -> None:
    arrived = asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await asyncio.Event().wait()

    prober.before_answer = wait
    call = client.call("POST", "/v1/tell")
    await arrived.wait()
    await call.leave()
    assert prober.ended.is_set()


async def test_leaving_during_an_upload_is_no_request_at_all(client: Client, prober: Prober) -> None:
    call = client.call("POST", "/v1/things/a", body=b'{"name": "n"}', is_whole=False)
    await call.leave()
    assert await call.chunk() is None
    assert not prober.ended.is_set()  # the provider was not asked


async def test_leaving_during_a_stream_ends_it_to_its_last_finally(client: Client, prober: Prober) -> None:
    arrived = asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await asyncio.Event().wait()

    prober.before_event = wait
    call = client.call("POST", "/v1/tell")
    await call.start()
    await arrived.wait()
    await call.leave()
    assert prober.ended.is_set()


async def test_a_server_that_ends_lets_a_stream_s_finally_run(client: Client, prober: Prober) -> None:
    """uvicorn cancels what has not finished when the drain's time is up."""
    arrived = asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await asyncio.Event().wait()

    prober.before_event = wait
    call = client.call("POST", "/v1/tell")
    await call.start()
    await arrived.wait()
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.task
    assert prober.ended.is_set()


async def test_llama_stack_s_own_clients_get_no_done(client: Client) -> None:
    """Those before 0.7 take it for JSON."""
    headers = {"x-llamastack-client-version": "0.5.0"}
    answer = await client.post("/v1/tell", {"events": 2}, headers=headers)
    assert [payload[:20] for payload in answer.payloads()] == ['{"type":"thing.told"'] * 2
    failed = await client.post("/v1/tell", {"fails_after": 1}, headers=headers)
    assert len(failed.payloads()) == 2 and '"error"' in failed.payloads()[1]
