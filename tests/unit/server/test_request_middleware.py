"""Around every request: its id, what it brings for providers, warnings, the access line, CORS."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from runtime import PROBE
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.context import current
from runtime.server.asgi import Receive, Scope, Send
from runtime.server.doors import Doors
from runtime.server.logs import JsonLines
from runtime.server.middleware.request import RequestMiddleware
from runtime.server.ongoing import Ongoing
from runtime.server.probes import is_probe
from runtime.stack.instance import Instance
from tests.support import at_prober
from tests.support.house import Prober
from tests.unit.telemetry._seen import Seen

pytestmark = pytest.mark.asyncio(loop_scope="module")
client, prober = at_prober.client, at_prober.prober
PAGE = "https://app.test"


@pytest.mark.parametrize("path", ["/v1/health", "/v1/nothing", "/v1/tell"])
async def test_every_answer_has_an_id_and_no_two_the_same(client: Client, path: str) -> None:
    method = "POST" if path == "/v1/tell" else "GET"
    ids = {(await client.request(method, path)).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(one.startswith("req_") for one in ids)


@pytest.mark.parametrize("given", ["mine", "a b/c:1", "x" * 128])
async def test_the_caller_s_own_id_is_kept(client: Client, given: str) -> None:
    assert (await client.get("/v1/health", headers={"x-request-id": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a\r\nset-cookie: b=1", b"\x1b[31m", "é".encode(), b"\x00"])
async def test_a_hostile_id_is_not_taken_over(client: Client, given: bytes) -> None:
    answer = await client.get("/v1/health", headers={"x-request-id": given})
    assert answer.headers["x-request-id"].startswith("req_")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("header", ["X-LlamaStack-Provider-Data", "X-OGX-Provider-Data"])
async def test_what_a_caller_brings_for_providers_reaches_them(client: Client, header: str) -> None:
    answer = await client.get("/v1/things/a", headers={header: '{"acme_api_key": "k"}'})
    assert answer.json()["given"]["provider_data"] == {"acme_api_key": "k"}


@pytest.mark.parametrize("header", ["X-LlamaStack-Provider-Data", "X-OGX-Provider-Data"])
@pytest.mark.parametrize(
    "value", ["{nope", "[1]", '"text"', "null", "", '{"a": "é"}', "[" * 50_000], ids=lambda v: v[:9]
)
async def test_provider_data_that_is_no_object_is_the_caller_s_mistake(
    client: Client, header: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Passed over, it would leave the caller with a vendor's refusal of a key that it never sent."""
    answer = await client.get("/v1/things/a", headers={header: value})
    assert (answer.status, answer.error["param"]) == (400, header)
    assert len(value) < 3 or (value not in answer.error["message"] and value not in caplog.text)


async def test_provider_data_that_came_twice_is_refused(client: Client) -> None:
    headers = {"x-llamastack-provider-data": "{}", "x-ogx-provider-data": "{}"}
    assert (await client.get("/v1/things/a", headers=headers)).status == 400


async def test_a_websocket_is_refused(client: Client) -> None:
    """Behind the middleware it would meet neither the guard nor an error of ours."""
    sent = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "websocket", "path": "/v1/health", "headers": [], "http_version": "1.1"}
    await client.app(scope, receive, send)
    assert sent == ["websocket.close"]


async def test_warnings_and_headers_go_out_with_the_answer(client: Client, prober: Prober) -> None:
    async def warn() -> None:
        current().warnings.extend(["first", "zweitens: ü €"])
        current().headers["x-extra"] = "1"

    prober.before_answer = warn
    for answer in (await client.get("/v1/things/a"), await client.post("/v1/tell", {"events": 1})):
        assert answer.headers["x-llama-warnings"] == "first; zweitens: ü ?"
        assert answer.headers["x-extra"] == "1"


async def test_a_warning_cannot_begin_a_header_of_its_own(client: Client, prober: Prober) -> None:
    async def warn() -> None:
        current().warnings.append("ignored: a\r\nset-cookie: b=1\n\x00" + "x" * 10_000)

    prober.before_answer = warn
    answer = await client.get("/v1/things/a")
    assert answer.headers["x-llama-warnings"].startswith("ignored: a??set-cookie: b=1??x")
    assert len(answer.headers["x-llama-warnings"]) <= 2000
    assert "set-cookie" not in answer.headers


async def test_one_request_does_not_see_another_s_context(client: Client, prober: Prober) -> None:
    async def warn() -> None:
        current().warnings.append(current().request_id)

    prober.before_answer = warn
    for name in ("one", "two"):
        answer = await client.get("/v1/things/a", headers={"x-request-id": name})
        assert answer.headers["x-llama-warnings"] == name


def access_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        {"message": record.getMessage(), **record.__dict__}
        for record in caplog.records
        if record.name == "runtime.server.access"
    ]


async def test_an_access_line_says_what_was_asked_and_how_it_went(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "runtime.server.access"):
        await client.get("/v1/health?secret=1", headers={"x-request-id": "mine"})
        await client.get("/v1/nothing")
    first, second = access_lines(caplog)
    assert (first["message"], first["status"], first["request_id"]) == ("GET /v1/health", 200, "mine")
    assert 0 <= first["duration_ms"] < 5000
    assert second["status"] == 404
    assert "secret" not in caplog.text


@pytest.mark.parametrize("path", ["/v1/health", "/v1/models", "/v1/models/a/b", "/v1/providers"])
async def test_a_look_of_our_command_line_is_in_the_log_for_whoever_debugs(
    path: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "runtime.server.access"):
        await client.get(path, headers={"user-agent": PROBE})
        assert access_lines(caplog) == []
        await client.get(path, headers={"user-agent": "llama/0.1.0"})
    with caplog.at_level(logging.DEBUG, "runtime.server.access"):
        await client.get(path, headers={"user-agent": PROBE})
    assert [line["levelname"] for line in access_lines(caplog)] == ["INFO", "DEBUG"]
    assert json.loads(JsonLines().format(caplog.records[-1]))["level"] == "debug"


async def test_no_other_request_can_pass_for_one(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    headers = {"user-agent": PROBE}
    with caplog.at_level(logging.INFO, "runtime.server.access"):
        await client.get("/v1/things/a", headers=headers)
        await client.post("/v1/models", {}, headers=headers)
        await client.get("/v1/models", headers={"user-agent": f"{PROBE} and more"})
    assert len(access_lines(caplog)) == 3
    scope: Any = {"type": "http", "method": "GET", "path": "/v1/models", "client": ("192.0.2.1", 1)}
    known = {b"user-agent": PROBE.encode()}
    assert not is_probe(scope, known)
    assert not is_probe({**scope, "client": None}, known)
    assert is_probe({**scope, "client": ("::ffff:127.0.0.1", 1)}, known)
    assert not is_probe({**scope, "client": ("127.0.0.1", 1), "type": "websocket"}, known)
    question = {**scope, "method": "POST", "path": "/v1/telemetry/traces"}
    assert is_probe({**question, "client": ("127.0.0.1", 1)}, known)
    assert not is_probe(question, known)
    assert not is_probe({**question, "client": ("127.0.0.1", 1), "path": "/v1/telemetry/events"}, known)


async def test_a_client_that_left_without_an_answer_is_a_499(
    client: Client, prober: Prober, caplog: pytest.LogCaptureFixture
) -> None:
    arrived = asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await asyncio.Event().wait()

    prober.before_answer = wait
    with caplog.at_level(logging.INFO, "runtime.server.access"):
        call = client.call("GET", "/v1/things/a")
        await arrived.wait()
        await call.leave()
    assert [line["status"] for line in access_lines(caplog)] == [499]


CORS = {
    "allow_origins": [PAGE],
    "allow_methods": ["GET", "POST"],
    "allow_headers": ["authorization"],
    "expose_headers": ["x-request-id"],
}


async def test_a_page_of_an_allowed_origin_may_call(tmp_path: Path) -> None:
    async with serving(run_config(server={"cors": CORS}), tmp_path) as served:
        asked = {
            "origin": PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        }
        preflight = await served.client.request("OPTIONS", "/v1/chat/completions", headers=asked)
        assert preflight.status == 204
        assert preflight.headers["access-control-allow-origin"] == PAGE
        assert "POST" in preflight.headers["access-control-allow-methods"]
        for path, status in (("/v1/health", 200), ("/v1/nothing", 404), ("/v1/models/none", 404)):
            answer = await served.client.get(path, headers={"origin": PAGE})
            assert answer.status == status
            assert answer.headers["access-control-allow-origin"] == PAGE, path
            assert answer.headers["access-control-expose-headers"] == "x-request-id"


async def test_a_page_of_another_origin_may_not(tmp_path: Path) -> None:
    async with serving(run_config(server={"cors": CORS}), tmp_path) as served:
        answer = await served.client.get("/v1/health", headers={"origin": "https://evil.test"})
        assert answer.headers.get("access-control-allow-origin") != "https://evil.test"
        assert answer.headers.get("access-control-allow-origin") != "*"
        asked = {"origin": "https://evil.test", "access-control-request-method": "GET"}
        assert (await served.client.request("OPTIONS", "/v1/health", headers=asked)).headers.get(
            "access-control-allow-origin"
        ) in (None, PAGE)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:3000", True),
        ("https://127.0.0.1", True),
        ("http://localhost.evil.test", False),
        ("http://evil.test/http://localhost", False),
    ],
)
async def test_cors_true_is_any_port_of_this_machine(tmp_path: Path, origin: str, allowed: bool) -> None:
    async with serving(run_config(server={"cors": True}), tmp_path) as served:
        answer = await served.client.get("/v1/health", headers={"origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) == allowed


async def test_without_cors_no_page_is_told_anything(client: Client) -> None:
    answer = await client.get("/v1/health", headers={"origin": PAGE})
    assert "access-control-allow-origin" not in answer.headers


async def test_our_own_milliseconds_are_in_the_headers_and_in_the_access_line(
    client: Client, prober: Prober, caplog: pytest.LogCaptureFixture
) -> None:
    async def wait_for_another() -> None:
        with current().timing:
            await asyncio.sleep(0.1)

    prober.before_answer = wait_for_another
    with caplog.at_level(logging.INFO, "runtime.server.access"):
        answers = [await client.get("/v1/things/a"), await client.post("/v1/tell", {"events": 1})]
    for answer, line in zip(answers, access_lines(caplog), strict=True):
        overhead_ms = float(answer.headers["x-llama-overhead-ms"])
        found = re.fullmatch(r"overhead;dur=([0-9.]+), upstream;dur=([0-9.]+)", answer.headers["server-timing"])
        assert found and float(found[1]) == overhead_ms == line["overhead_ms"]
        assert float(found[2]) >= 99 and overhead_ms < line["duration_ms"] - 90


@pytest.mark.parametrize("is_waiting", [False, True])
async def test_a_trace_has_the_milliseconds_that_the_headers_have(is_waiting: bool, tmp_path: Path) -> None:
    """What a stream waits for after its first byte is in neither."""
    seen, headers = Seen(), dict[bytes, bytes]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        timing = current().timing
        with timing:
            await asyncio.sleep(0.02)
        with timing if is_waiting else nullcontext():
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.sleep(0.05)
        with timing:
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def sent(message: Any) -> None:
        headers.update(message.get("headers", ()))

    async def receive() -> Any:
        raise AssertionError("it has no body")

    middleware = RequestMiddleware(app, Ongoing(), Instance(), Doors(()), None, processor=lambda: seen)
    scope = {"type": "http", "method": "GET", "path": "/v1/models", "headers": [], "client": None}
    await middleware(scope, receive, sent)
    [span] = seen.spans
    told = span.attributes["llama_stack.overhead_ms"], span.attributes["llama_stack.waited_ms"]
    assert headers[b"server-timing"].decode() == "overhead;dur={:.1f}, upstream;dur={:.1f}".format(*told)
    assert isinstance(told[1], float) and told[1] >= 19


async def test_a_refusal_has_its_milliseconds_too(client: Client) -> None:
    assert float((await client.get("/v1/nothing")).headers["x-llama-overhead-ms"]) >= 0


async def test_the_time_that_a_client_takes_to_send_its_request_is_not_ours(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "runtime.server.access"):
        call = client.call("POST", "/v1/things/a", body=[b'{"name": '], is_whole=False)
        await asyncio.sleep(0.1)
        call.send(b'"n"}')
        assert (await call.start())[0] == 201
        await call.rest()
        await call.task
    [line] = access_lines(caplog)
    assert line["overhead_ms"] < line["duration_ms"] - 90
