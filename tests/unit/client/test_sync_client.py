"""The client for callers without an event loop. The vendor runs on the test's loop, so it is used in a thread."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from aiohttp import web
from openai import OpenAI

from runtime.client import AsyncLlamaStackAsLibraryClient, LlamaStackAsLibraryClient, local_stack
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.errors import ConfigInvalid, Conflict, NotFound
from tests.support.stacks import openai_at

LIMIT_S = 20.0
CHAT = f"vendor/{CHAT_MODEL}"
MESSAGES: Any = [{"role": "user", "content": "Say something about the sea"}]


def openai_over(client: LlamaStackAsLibraryClient, library: Any = None) -> OpenAI:
    return OpenAI(
        base_url="http://localhost/v1", api_key="none", max_retries=0, http_client=client.http_client(library)
    )


def health(client: LlamaStackAsLibraryClient) -> Any:
    return client.http_client().get("/v1/health")


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_openais_client_chats_and_streams(config: Path, settings: Any, upstream: Upstream, library: Any) -> None:
    def use() -> tuple[str | None, str]:
        with LlamaStackAsLibraryClient(config, **settings) as client:
            completions = openai_over(client, library).chat.completions
            whole = completions.create(model=CHAT, messages=MESSAGES).choices[0].message.content
            parts = completions.create(model=CHAT, messages=MESSAGES, stream=True)
            return whole, "".join(part.choices[0].delta.content or "" for part in parts if part.choices)

    whole, streamed = await asyncio.to_thread(use)
    assert whole and streamed == whole


async def test_threads_stream_beside_each_other(config: Path, settings: Any, upstream: Upstream) -> None:
    client = await asyncio.to_thread(LlamaStackAsLibraryClient, config, **settings)
    together = threading.Barrier(4)

    def stream() -> str:
        parts = iter(openai_over(client).chat.completions.create(model=CHAT, messages=MESSAGES, stream=True))
        read = [next(parts)]
        together.wait(LIMIT_S)  # each has begun before any goes on
        return "".join(part.choices[0].delta.content or "" for part in [*read, *parts] if part.choices)

    try:
        async with asyncio.timeout(LIMIT_S):
            texts = await asyncio.gather(*(asyncio.to_thread(stream) for _ in range(4)))
    finally:
        await asyncio.to_thread(client.close)
    assert texts[0] and set(texts) == {texts[0]}


async def test_a_stream_is_read_while_the_vendor_still_writes_it(
    config: Path, settings: Any, upstream: Upstream
) -> None:
    upstream.gate.clear()
    loop = asyncio.get_running_loop()

    def use() -> bool:
        with LlamaStackAsLibraryClient(config, **settings) as client:
            parts = iter(openai_over(client).chat.completions.create(model=CHAT, messages=MESSAGES, stream=True))
            next(parts)
            was_waiting = not upstream.gate.is_set()
            loop.call_soon_threadsafe(upstream.gate.set)
            return was_waiting and len(list(parts)) > 1

    async with asyncio.timeout(LIMIT_S):
        assert await asyncio.to_thread(use)


@pytest.mark.parametrize("way", ["close", "forget"])
async def test_whoever_leaves_a_stream_ends_it_at_the_vendor(
    config: Path, settings: Any, upstream: Upstream, way: str
) -> None:
    upstream.gate.clear()
    client = await asyncio.to_thread(LlamaStackAsLibraryClient, config, **settings)

    def leave() -> None:
        asked = client.http_client(httpx).build_request(
            "POST", "/v1/chat/completions", json={"model": CHAT, "messages": MESSAGES, "stream": True}
        )
        answer = client.http_client(httpx).send(asked, stream=True)
        assert next(answer.iter_raw()).startswith(b"data: ")
        if way == "close":
            answer.close()

    try:
        async with asyncio.timeout(LIMIT_S):
            await asyncio.to_thread(leave)
            gc.collect()  # an answer of httpx and its body hold each other
            await upstream.ended_early.wait()
    finally:
        upstream.gate.set()
        await asyncio.to_thread(client.close)


@pytest.mark.parametrize("middle", ["of the loop", "of what whoever turns it needs"])
async def test_a_stream_that_is_broken_off_is_left_wherever_the_garbage_is_collected(
    config: Path, settings: Any, upstream: Upstream, middle: str
) -> None:
    """OpenAI's stream closes its answer when it is collected, and whoever has an event loop's turn may collect it."""
    upstream.gate.clear()
    client = await asyncio.to_thread(LlamaStackAsLibraryClient, config, **settings)
    thread = client._llama_stack._running.thread

    async def collect() -> None:
        gc.collect()

    def break_off() -> None:
        stream = openai_over(client).chat.completions.create(model=CHAT, messages=MESSAGES, stream=True)
        for _ in stream:
            break
        cycle: list[object] = [stream]
        cycle.append(cycle)

    def use() -> None:
        gc.disable()
        try:
            break_off()
            if middle == "of the loop":
                thread.run(collect(), limit_s=LIMIT_S)
            else:
                with thread._turns.lock:
                    gc.collect()
        finally:
            gc.enable()

    try:
        async with asyncio.timeout(LIMIT_S):
            await asyncio.to_thread(use)
            await upstream.ended_early.wait()
    finally:
        upstream.gate.set()
        await asyncio.to_thread(client.close)


async def test_closing_ends_a_stream_with_an_error(config: Path, settings: Any, upstream: Upstream) -> None:
    upstream.gate.clear()
    client = await asyncio.to_thread(LlamaStackAsLibraryClient, config, **settings)

    def read() -> None:
        parts = iter(openai_over(client).chat.completions.create(model=CHAT, messages=MESSAGES, stream=True))
        next(parts)
        client.close()
        list(parts)

    try:
        async with asyncio.timeout(LIMIT_S):
            with pytest.raises(openai.APIError, match="the stack is closing"):
                await asyncio.to_thread(read)
            await upstream.ended_early.wait()
    finally:
        upstream.gate.set()


def thread_of_a_stack() -> threading.Thread | None:
    return next((thread for thread in threading.enumerate() if thread.name == "llama stack library"), None)


def test_one_that_nobody_has_any_more_is_closed_with_a_warning(
    write_config: Callable[..., Path], settings: Any
) -> None:
    client = LlamaStackAsLibraryClient(write_config(), **settings)
    at = client.http_client()
    del client
    gc.collect()
    assert at.get("/v1/health").status_code == 200, "whoever has a client of it has the stack"
    thread = thread_of_a_stack()
    assert thread is not None
    with pytest.warns(ResourceWarning, match=r"unclosed stack `library`: `close\(\)` its client"):
        del at
        gc.collect()
    thread.join(LIMIT_S)
    assert thread_of_a_stack() is None
    LlamaStackAsLibraryClient(write_config(), **settings).close()  # its folder is free


async def test_a_closed_stack_is_said_and_its_folder_is_free(config: Path, settings: Any) -> None:
    def use() -> None:
        first = LlamaStackAsLibraryClient(config, **settings)
        at = first.http_client(httpx)
        first.close()
        first.close()
        with pytest.raises(httpx.ConnectError, match="the stack has been closed"):
            at.get("/v1/health")
        LlamaStackAsLibraryClient(config, **settings).close()

    await asyncio.to_thread(use)
    assert thread_of_a_stack() is None


def test_it_is_used_in_the_middle_of_an_event_loop(write_config: Callable[..., Path], settings: Any) -> None:
    async def notebook() -> int:
        with LlamaStackAsLibraryClient(write_config(), **settings) as client:
            status: int = health(client).status_code
            return status

    assert asyncio.run(notebook()) == 200


def test_errors_are_those_of_the_clients(write_config: Callable[..., Path], settings: Any) -> None:
    with LlamaStackAsLibraryClient(write_config(), **settings) as client:
        with pytest.raises(openai.NotFoundError, match="`none` is not served"):
            openai_over(client).chat.completions.create(model="none", messages=MESSAGES)
        with pytest.raises(openai.BadRequestError, match="frequency_penalty"):
            openai_over(client).chat.completions.create(model="none", messages=MESSAGES, frequency_penalty=9)


async def test_an_error_shows_no_secret_of_its_own_stack(
    config: Path, settings: Any, upstream: Upstream, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """What the vendor quotes of the configured key; another stack of the process has no such key."""

    async def quote(_: Any) -> web.Response:
        return web.json_response({"error": {"message": "no key sk-configured-secret"}}, status=400)

    def use() -> list[str]:
        other = write_config("other", providers={"inference": [openai_at(upstream.url, api_key="sk-of-the-other")]})
        said = []
        with (
            LlamaStackAsLibraryClient(config, **settings) as first,
            LlamaStackAsLibraryClient(other, state_dir=tmp_path / "other") as second,
        ):
            health(first).raise_for_status()
            for client in (first, second):
                answer = client.http_client().post("/v1/chat/completions", json={"model": CHAT, "messages": MESSAGES})
                said.append(answer.json()["error"]["message"])
        return said

    upstream.misbehaves = quote
    masked, shown = await asyncio.to_thread(use)
    assert "no key ********" in masked and "no key sk-configured-secret" in shown


async def test_the_programs_log_shows_no_secret_of_a_stack(
    config: Path, settings: Any, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """While it is open; what the program itself logs is its own."""
    log, theirs = logging.getLogger("runtime.stack.providers"), logging.getLogger("of.the.program")

    def say() -> list[str]:
        caplog.clear()
        try:
            raise LookupError("sk-configured-secret")
        except LookupError:
            log.exception("quotes %s", "sk-configured-secret", extra={"key": ["sk-configured-secret"]})
        theirs.warning("quotes sk-configured-secret")
        made = [logging.Formatter("%(message)s %(key)s", defaults={"key": ""}).format(one) for one in caplog.records]
        return [text for text in made if "quotes" in text]

    client = await asyncio.to_thread(LlamaStackAsLibraryClient, config, **settings)
    try:
        ours, of_program = say()
    finally:
        await asyncio.to_thread(client.close)
    assert "sk-configured-secret" not in ours and ours.startswith("quotes ******** ['********']\nTraceback")
    assert ours.endswith("LookupError: ********") and of_program == "quotes sk-configured-secret "
    assert all(not logger.filters for logger in (log, theirs)) and "sk-configured-secret" in say()[0]


async def test_a_silent_stack_is_a_timeout(config: Path, settings: Any, upstream: Upstream) -> None:
    upstream.gate.clear()

    def use() -> None:
        with LlamaStackAsLibraryClient(config, **settings) as client:
            completions = openai_over(client).with_options(timeout=0.2).chat.completions
            list(completions.create(model=CHAT, messages=MESSAGES, stream=True))

    try:
        async with asyncio.timeout(LIMIT_S):
            with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout), match=r"0\.2|timed out"):
                await asyncio.to_thread(use)
            await upstream.ended_early.wait()
    finally:
        upstream.gate.set()


async def test_provider_data_reaches_the_vendor(config: Path, settings: Any, upstream: Upstream) -> None:
    def use() -> None:
        data = {"openai_api_key": "sk-of-the-caller"}
        with LlamaStackAsLibraryClient(config, provider_data=data, **settings) as client:
            openai_over(client).chat.completions.create(model=CHAT, messages=MESSAGES)

    await asyncio.to_thread(use)
    assert upstream.calls("/chat/completions")[-1].headers["authorization"] == "Bearer sk-of-the-caller"


async def test_a_large_file_is_sent_and_read_in_parts(write_config: Callable[..., Path], settings: Any) -> None:
    files = {"files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}]}
    content = bytes(range(256)) * 20_000

    def use() -> None:
        with LlamaStackAsLibraryClient(write_config(providers=files | {"inference": []}), **settings) as client:
            at = openai_over(client).files
            made = at.create(file=("a.bin", content), purpose="user_data")
            assert made.bytes == len(content) and at.content(made.id).read() == content
        with LlamaStackAsLibraryClient(write_config(providers=files | {"inference": []}), **settings) as client:
            assert openai_over(client).files.retrieve(made.id).bytes == len(content)

    await asyncio.to_thread(use)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_websocket_is_refused_in_words(write_config: Callable[..., Path], settings: Any, library: Any) -> None:
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    with (
        LlamaStackAsLibraryClient(write_config(), **settings) as client,
        pytest.raises(library.UnsupportedProtocol, match="could become a websocket: run a server, and connect to that"),
    ):
        client.http_client(library).get("/v1/responses", headers=upgrade)


def test_two_stacks_in_one_process(write_config: Callable[..., Path], tmp_path: Path) -> None:
    one, other = write_config("one"), write_config("other")
    with LlamaStackAsLibraryClient(one, state_dir=tmp_path / "1") as first:
        assert health(first).status_code == 200
        with LlamaStackAsLibraryClient(other, state_dir=tmp_path / "2") as second:
            ids = {health(client).headers["x-llama-stack-instance"] for client in (first, second)}
            assert len(ids) == 2
        assert health(first).status_code == 200


@pytest.mark.parametrize(
    ("given", "words"),
    [("sk-key", "is a dict such as .*, and not a str"), ({"key": object()}, "cannot be sent as JSON")],
)
def test_provider_data_that_cannot_be_sent_is_refused_before_anything_opens(
    config: Path, settings: Any, given: Any, words: str
) -> None:
    for kind in (LlamaStackAsLibraryClient, AsyncLlamaStackAsLibraryClient):
        with pytest.raises(TypeError, match=words):
            kind(config, provider_data=given, **settings)


def test_a_state_folder_is_one_stacks(write_config: Callable[..., Path], settings: Any) -> None:
    with (
        LlamaStackAsLibraryClient(write_config("one"), **settings),
        pytest.raises(Conflict, match="in use by this process") as raised,
    ):
        LlamaStackAsLibraryClient(write_config("other"), **settings)
    hint = "`close()` the client that has it first, or give `state_dir` another folder"
    assert raised.value.hint == hint, "a cell of a notebook that is run again meets it"


def test_what_can_be_no_state_folder_is_told_of_the_argument(write_config: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigInvalid, match="cannot be a folder for state") as raised:
        LlamaStackAsLibraryClient(write_config(), state_dir=tmp_path / "file")
    assert [problem.path for problem in raised.value.problems] == ["state_dir"]


def test_a_wrong_config_has_every_problem_in_its_exception(tmp_path: Path, settings: Any) -> None:
    file = tmp_path / "wrong.yaml"
    wrong = {"provider_id": "a", "provider_type": "remote::opnai", "config": {}}
    file.write_text(json.dumps({"version": 2, "distro_name": "wrong", "providers": {"inference": [wrong]}, "apis": 3}))
    with pytest.raises(ConfigInvalid) as raised:
        LlamaStackAsLibraryClient(file, **settings)
    assert len(raised.value.problems) == 2 and "remote::opnai" in raised.value.message
    with pytest.raises(NotFound, match="`startr` is not a file, a template"):
        LlamaStackAsLibraryClient("startr", **settings)


def test_a_template_is_rendered_and_its_state_is_the_distributions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path / "home"))
    with LlamaStackAsLibraryClient("remote") as client:
        assert client.initialize()
        assert health(client).status_code == 200
    assert (tmp_path / "home/distributions/remote/state").is_dir()
    assert not (tmp_path / "home/distributions/remote/run.yaml").exists()


def test_without_the_official_client_its_resources_are_said_to_lack(
    write_config: Callable[..., Path], settings: Any
) -> None:
    lacks = pytest.raises(AttributeError, match=r"`llama-stack-client`, which is not installed.*`http_client\(\)`")
    with LlamaStackAsLibraryClient(write_config(), **settings) as client, lacks:
        client.models  # noqa: B018  # it raises
    with pytest.raises(TypeError, match="max_retries"):
        LlamaStackAsLibraryClient(write_config(), max_retries=3, **settings)


def test_a_body_is_made_by_its_caller_and_keeps_no_stack_open(
    write_config: Callable[..., Path], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing does not wait for a part that never comes, and the caller's own exception is the caller's."""
    monkeypatch.setattr(local_stack, "_LAST_WORDS_S", 2 * LIMIT_S)
    files = {"files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}]}
    client = LlamaStackAsLibraryClient(write_config(providers=files | {"inference": []}), **settings)
    begun, comes, makers, asked = threading.Event(), threading.Event(), set(), []
    form = {"content-type": "multipart/form-data; boundary=b"}

    def body(*, fails: bool) -> Any:
        makers.add(threading.current_thread())
        yield b"--b\r\n"
        if fails:
            raise LookupError("of the caller")
        begun.set()
        comes.wait(LIMIT_S)

    def upload() -> None:
        asked.append(client.http_client().post("/v1/files", content=body(fails=False), headers=form).status_code)

    with pytest.raises(LookupError, match="of the caller"):
        client.http_client().post("/v1/files", content=body(fails=True), headers=form)
    uploading = threading.Thread(target=upload)
    uploading.start()
    try:
        assert begun.wait(LIMIT_S)
        client.close()
        assert not comes.is_set() and makers == {threading.current_thread(), uploading}
    finally:
        comes.set()
        uploading.join(LIMIT_S)
    assert asked == [503]
