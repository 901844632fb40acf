"""The server as a process: how it starts, refuses to, and ends. Exit codes and record are its contract with the CLI."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from runtime.conformance.upstream import CHAT_MODEL, Upstream, upstream_server
from tests.support.server_process import ServerProcess, server_process
from tests.support.stacks import openai_at

pytestmark = pytest.mark.e2e


def document(*inference: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"version": 2, "distro_name": "test", "providers": {"inference": list(inference)}, **sections}


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with upstream_server() as running:
        yield running


async def test_it_says_where_it_listens_and_how_it_is(tmp_path: Path, upstream: Upstream) -> None:
    async with server_process(document(openai_at(upstream.url)), tmp_path) as server:
        await server.until("serving")
        assert server.record["host"] == "127.0.0.1"
        assert server.record["url"] == f"http://127.0.0.1:{server.record['port']}"
        assert server.record["pid"] == server.process.pid
        assert await server.ask("GET", "/v1/health") == (200, {"status": "OK"})
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
        assert (server.record["state"], server.record["exit_code"]) == ("stopped", 0)


async def test_a_port_in_use_names_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with server_process(document(), tmp_path, port=port) as server:
            assert await server.ended() == 5
    assert f"error: port {port} on 127.0.0.1 is in use" in server.words
    assert f"(pid {os.getpid()})" in server.words
    assert (server.record["state"], server.record["exit_code"]) == ("failed", 5)
    assert server.record["reason"] in server.words


async def test_an_invalid_config_is_refused_with_every_problem(tmp_path: Path) -> None:
    wrong = document(
        {"provider_id": "a", "provider_type": "remote::olama"}, {"provider_id": "b", "provider_type": "remote::vlm"}
    )
    async with server_process(wrong, tmp_path) as server:
        assert await server.ended() == 3
    assert "did you mean `remote::ollama`?" in server.words and "did you mean `remote::vllm`?" in server.words
    assert server.record["state"] == "failed"
    assert "the run config has 2 problems" in server.record["reason"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--require", "vndor"], 2, "did you mean `vendor`?"),
        (["--alias", "just-a-name"], 2, "`just-a-name` is not NAME=MODEL"),
        (["--alias", "a=x", "--alias", "a=y"], 2, "`a` is given for `x` and `y`"),
        (["--inject", "vndor: 429"], 2, "did you mean `vendor`?"),
        (["--inject", "vendor: 429 ten"], 2, "`429 ten` does not say how often"),
        (["--model", "/nowhere/model.gguf"], 2, "`--model` needs a provider `inline::meta-reference`"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
async def test_a_choice_that_cannot_be_is_refused(tmp_path: Path, options: list[str], code: int, words: str) -> None:
    async with server_process(document(openai_at("http://127.0.0.1:9/v1")), tmp_path, *options) as server:
        assert await server.ended() == code
    assert words in server.words


async def test_an_alias_of_what_nobody_could_serve_is_refused(tmp_path: Path) -> None:
    async with server_process(document(), tmp_path, "--alias", "mine=nobody/nothing") as server:
        assert await server.ended() == 2
    assert "`--alias`: Model `nobody/nothing` is not served by any provider" in server.words
    assert "GET /v1" not in server.record["hint"]


async def test_a_required_provider_that_is_down_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    async with server_process(document(openai_at("http://127.0.0.1:9/v1")), tmp_path, "--require", "vendor") as server:
        assert await server.ended() == 7
    assert "`vendor`: `vendor` cannot be reached at http://127.0.0.1:9/v1/models" in server.words


async def test_a_model_that_is_not_there_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    engine = {"provider_id": "llama", "provider_type": "inline::meta-reference"}
    async with server_process(document(engine), tmp_path, "--model", "/nowhere/model.gguf") as server:
        assert await server.ended() == 7
    assert "`/nowhere/model.gguf` is neither a path nor a model that comes with this distribution" in server.words


async def test_corrupt_weights_are_named_and_the_server_goes_on(tmp_path: Path, upstream: Upstream) -> None:
    pytest.importorskip("torch")
    weights = tmp_path / "broken.gguf"
    weights.write_bytes(b"GGUF" + b"\xff" * 100)
    engine = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": {"model": str(weights)}}
    async with server_process(document(engine, openai_at(upstream.url)), tmp_path) as server:
        await server.until("provider not started")
        _, llama = await server.ask("GET", "/v1/providers/llama")
        assert llama["health"]["state"] == "degraded"
        assert "broken.gguf" in llama["health"]["message"]
        body = {"model": "llama/broken", "messages": [{"role": "user", "content": "hi"}]}
        status, answer = await server.ask("POST", "/v1/chat/completions", json=body)
        assert status == 503
        assert "broken.gguf" in answer["error"]["message"]
        assert (await server.ask("POST", "/v1/chat/completions", json=body | {"model": CHAT_MODEL}))[0] == 200


async def test_a_record_that_another_server_holds_is_left_alone(tmp_path: Path) -> None:
    async with server_process(document(), tmp_path) as first:
        await first.until("serving")
        async with server_process(document(), tmp_path) as second:
            assert await second.ended() == 5
        assert "belongs to a running server" in second.words
        assert (first.record["pid"], first.record["state"]) == (first.process.pid, "ready")


async def test_a_state_folder_is_one_server_s_until_that_has_ended(tmp_path: Path) -> None:
    """Also of one with a record elsewhere, as from another Llama home."""
    state = ("--state", str(tmp_path / "state"))
    async with server_process(document(), tmp_path / "a", *state) as first:
        await first.until("serving")
        async with server_process(document(), tmp_path / "b", *state) as second:
            assert await second.ended() == 5
        assert f"the state folder `{tmp_path / 'state'}` is in use by another process" in second.words
        assert f"pid {first.process.pid}, whose record is `{tmp_path / 'a' / 'record.json'}`" in second.words
        assert (second.record["state"], second.record["exit_code"]) == ("failed", 5)
        first.signal(signal.SIGKILL)
        await first.ended()
        async with server_process(document(), tmp_path / "c", *state) as third:
            await third.until("serving")


class Streaming:
    """A client in the middle of a stream, which its upstream holds back."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._session = aiohttp.ClientSession()
        self._answer: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Streaming:
        body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        self._answer = await self._session.post(f"{self._server.url}/v1/chat/completions", json=body)
        assert await self._answer.content.readline()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._answer is not None:
            self._answer.close()
        await self._session.close()

    async def rest(self) -> bytes:
        assert self._answer is not None
        return await self._answer.content.read()


async def until_refused(server: ServerProcess) -> None:
    """Returns once no new request is taken; uvicorn looks at its flag ten times a second."""
    async with asyncio.timeout(5):
        while True:
            try:
                await server.ask("GET", "/v1/health")
            except aiohttp.ClientError:
                return


async def test_a_signal_lets_a_running_stream_end(tmp_path: Path, upstream: Upstream) -> None:
    upstream.gate.clear()
    async with server_process(document(openai_at(upstream.url)), tmp_path) as server:
        await server.until("serving")
        async with Streaming(server) as client:
            server.signal(signal.SIGTERM)
            await server.until("draining")
            assert (server.record["state"], server.record["reason"]) == ("draining", "1 request running")
            await until_refused(server)
            upstream.gate.set()
            assert (await client.rest()).endswith(b"data: [DONE]\n\n")
        assert await server.ended() == 0
    assert server.record["state"] == "stopped"


async def test_a_drain_has_an_end(tmp_path: Path, upstream: Upstream) -> None:
    upstream.gate.clear()
    async with server_process(document(openai_at(upstream.url)), tmp_path, "--drain-timeout", "1") as server:
        await server.until("serving")
        async with Streaming(server):
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0
            async with asyncio.timeout(5):
                await upstream.ended_early.wait()


async def test_a_second_signal_ends_it_at_once(tmp_path: Path, upstream: Upstream) -> None:
    upstream.gate.clear()
    async with server_process(document(openai_at(upstream.url)), tmp_path) as server:
        await server.until("serving")
        async with Streaming(server):
            server.signal(signal.SIGINT)
            await server.until("draining")
            server.signal(signal.SIGTERM)
            assert await server.ended() == 130
            async with asyncio.timeout(5):
                await upstream.ended_early.wait()


async def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    async with server_process(document(), tmp_path, "--parent-fd", str(ours), pass_fds=[ours]) as server:
        os.close(ours)
        await server.until("serving")
        os.close(theirs)
        assert await server.ended() == 0


async def test_it_does_not_open_itself_to_other_machines_unasked(tmp_path: Path) -> None:
    async with server_process(document(), tmp_path, "--host", "0.0.0.0") as server:
        assert await server.ended() == 2
    assert server.record["reason"].startswith("`--host`: `0.0.0.0` is open to other machines")
    assert "server.insecure: true" in server.record["hint"]
    async with server_process(document(server={"host": "0.0.0.0"}), tmp_path) as server:
        assert await server.ended() == 3
    assert "server.host: `0.0.0.0` is open to other machines" in server.words


@pytest.mark.parametrize("host", ["0", "0.0.0.0", "::"])
async def test_its_url_can_be_connected_to_wherever_it_listens(tmp_path: Path, host: str) -> None:
    if host == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    async with server_process(document(server={"host": host, "insecure": True}), tmp_path) as server:
        await server.until("serving")
        expected = "[::1]" if host == "::" else "127.0.0.1"
        assert server.record["url"] == f"http://{expected}:{server.record['port']}"


@pytest.mark.parametrize(
    ("variable", "options", "asked", "told"),
    [
        ("", [], False, True),
        ("server=info;all=error", [], True, True),
        ("", ["--log-level", "error"], False, False),
    ],
)
async def test_what_is_logged_is_said_by_run_config_variable_and_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, options: list[str], asked: bool, told: bool
) -> None:
    """asked: whether the log has a line for a request; told: whether it has a warning of a category nobody knows."""
    monkeypatch.setenv("LLAMA_STACK_LOGGING", variable)
    levels = {"all": "warning", "core": "info", "clairvoyance": "debug"}
    async with server_process(document(logging={"category_levels": levels}), tmp_path, *options) as server:
        await server.until("provider started")  # which `core` says
        await server.ask("GET", "/v1/health")
        server.signal(signal.SIGTERM)
        await server.ended()
    events = [line for line in server.said if isinstance(line, dict)]
    assert any(line["logger"] == "runtime.server.access" for line in events) == asked
    assert any(line.get("category") == "clairvoyance" for line in events) == told


async def test_a_variable_that_says_no_level_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_STACK_LOGGING", "all=loud")
    async with server_process(document(), tmp_path) as server:
        assert await server.ended() == 3
    assert "LLAMA_STACK_LOGGING: `all=loud` is not category=level" in server.words


async def test_its_log_has_the_request_s_id_and_no_key(tmp_path: Path, upstream: Upstream) -> None:
    upstream.key = "another"
    async with server_process(document(openai_at(upstream.url)), tmp_path, "--log-level", "debug") as server:
        await server.until("serving")
        brought = json.dumps({"openai_api_key": "sk-brought-along"})
        body = {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": "my diary"}]}
        headers = {"x-request-id": "mine", "x-llamastack-provider-data": brought}
        status, answer = await server.ask("POST", "/v1/chat/completions", json=body, headers=headers)
        assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
        server.signal(signal.SIGTERM)
        await server.ended()
    (access,) = [line for line in server.said if line["logger"] == "runtime.server.access"]
    assert (access["request_id"], access["status"], access["message"]) == ("mine", 401, "POST /v1/chat/completions")
    for secret in ("sk-configured-secret", "sk-brought-along", "my diary"):
        assert secret not in str(server.said)
