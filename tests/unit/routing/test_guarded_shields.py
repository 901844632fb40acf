"""How shields are asked: a guard model is not guarded itself, no shield takes for ever, and whoever leaves ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.apis.safety.assessing import AssessRequest
from runtime.conformance.asgi import Call
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.conformance.upstream.scripted import Script, says
from runtime.errors import ConfigInvalid, Unavailable
from runtime.sse import EventStream, Frames, Reply
from runtime.stack.plan import plan
from tests.support.shields import WORDS, Words, shields, text_of, with_words
from tests.support.stacks import openai_at

LIMIT_S = 20.0
MODEL = f"vendor/{CHAT_MODEL}"
REFUSAL = "I cannot talk about that."
Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream) -> Serve:
    """Serves a vendor and the shields `bombs` and `guns`. guardrails: of the run config."""
    with_words(monkeypatch)

    @asynccontextmanager
    async def served(**guardrails: Any) -> AsyncIterator[Served]:
        run = run_config(
            providers={"inference": [openai_at(upstream.url)], "safety": [WORDS]},
            registered_resources=shields(bombs="bomb", guns="gun"),
            safety={"guardrails": guardrails},
        )
        async with serving(run, tmp_path) as running:
            yield running

    return served


def asked(text: str = "Hello", **body: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **body}


def begin(served: Served, **body: Any) -> Call:
    """A chat whose client can leave."""
    data = json.dumps(asked(**body)).encode()
    headers = {"content-type": "application/json"}
    return served.client.call("POST", "/v1/chat/completions", headers=headers, body=data)


async def never(_: AssessRequest) -> None:
    await asyncio.Event().wait()


async def test_what_a_guard_model_is_asked_is_not_guarded_whoever_asks_the_shield(
    serve: Serve, upstream: Upstream
) -> None:
    async with serve(input=["bombs"], output=["bombs"]) as served:
        told: list[str | None] = []

        async def ask_a_model(request: AssessRequest) -> None:
            chat = ChatCompletionRequest.model_validate(asked(f"Safe? {text_of(request.messages[-1])}", store=False))
            answer = await served.stack.api("inference").chat_completion(chat)
            assert isinstance(answer, Reply)
            told.append(answer.value()["choices"][0]["message"]["content"])

        Words.latest.before_answer = ask_a_model
        messages = [{"role": "user", "content": "a bomb"}]
        ran = await served.client.post("/v1/safety/run-shield", {"shield_id": "bombs", "messages": messages})
        assert ran.json()["violation"]["user_message"] == REFUSAL
        moderated = await served.client.post("/v1/moderations", {"model": "bombs", "input": "a bomb"})
        assert moderated.json()["results"][0]["flagged"]
        refused = await served.client.post("/v1/chat/completions", asked("a bomb"))
        assert refused.json()["choices"][0]["message"]["refusal"] == REFUSAL
        assert len(told) == len(Words.latest.asked) == 3 and None not in told


@pytest.mark.parametrize("on_failure", ["refuse", "pass"])
async def test_a_shield_that_hangs_has_failed(serve: Serve, on_failure: str) -> None:
    async with serve(input=["bombs"], timeout_s=0.01, on_failure=on_failure) as served:
        Words.latest.before_answer = never
        answer = await served.client.post("/v1/chat/completions", asked())
        if on_failure == "pass":
            assert "it has not answered within 0.01 s" in answer.headers["x-llama-warnings"]
            assert answer.json()["choices"][0]["message"]["content"]
        else:
            assert answer.status == 503
            assert answer.error["message"] == "The shield `bombs` has failed: it has not answered within 0.01 s"


async def test_what_one_shield_finds_waits_for_no_other(serve: Serve) -> None:
    ended = asyncio.Event()

    async def hang(request: AssessRequest) -> None:
        if request.shield_id == "gun":
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    async with serve(input=["guns", "bombs"]) as served, asyncio.timeout(LIMIT_S):
        Words.latest.before_answer = hang
        refused = await served.client.post("/v1/chat/completions", asked("a bomb"))
        assert refused.json()["violation"]["shield_id"] == "bombs" and ended.is_set()


async def test_a_timeout_within_a_shield_is_a_bug_of_its_own(serve: Serve) -> None:
    async def bug(_: AssessRequest) -> None:
        raise TimeoutError

    async with serve(input=["bombs"]) as served:
        Words.latest.before_answer = bug
        answer = await served.client.post("/v1/chat/completions", asked())
        assert answer.error["message"] == "The shield `bombs` has failed: TimeoutError; the server's log says why"


async def test_whoever_leaves_at_the_end_of_a_stream_waits_for_no_shield(serve: Serve, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("a cat"))
    judging = asyncio.Event()

    async def hang(_: AssessRequest) -> None:
        judging.set()
        await asyncio.Event().wait()

    async with serve(output=["bombs"]) as served, asyncio.timeout(LIMIT_S):
        Words.latest.before_answer = hang
        call = begin(served, stream=True)
        await judging.wait()
        call.task.cancel()
        await asyncio.wait({call.task})


async def test_an_answer_that_comes_while_its_client_leaves_is_closed(serve: Serve) -> None:
    """The model has answered, and nobody has taken that."""
    closed = asyncio.Event()

    async def close() -> None:
        closed.set()

    async def frames() -> Any:
        yield Frames(b"")

    async with serve(input=["bombs"]) as served, asyncio.timeout(LIMIT_S):
        router = served.stack.api("inference")
        task: asyncio.Task[Any]

        async def answer(*_: Any) -> EventStream:
            for _turn in range(100):
                await asyncio.sleep(0)  # the shield passes it, and then the answer is awaited
            asyncio.get_running_loop().call_soon(task.cancel)
            return EventStream(frames(), close)

        router._ask = answer
        task = asyncio.ensure_future(router.chat_completion(ChatCompletionRequest.model_validate(asked(stream=True))))
        await asyncio.wait({task})
        if not task.cancelled():
            await task.result().aclose()
        assert closed.is_set() and task.cancelled()


async def test_what_is_passed_by_in_a_stream_is_told_there(serve: Serve, upstream: Upstream) -> None:
    """Once, and where the headers are sent: the beginning of an answer is."""

    async def fail(_: AssessRequest) -> None:
        raise Unavailable("the guard\nis down")

    upstream.misbehaves = Script(says(*["word "] * 40))
    async with serve(output=["bombs"], on_failure="pass", window_chars=50) as served:
        Words.latest.before_answer = fail
        answer = await served.client.post("/v1/chat/completions", asked(stream=True))
        told = [line for line in answer.body.decode().split("\n") if line.startswith(":")]
        assert told == [": the shield `bombs` has failed, and was passed by: the guard is down"]
        texts = [choice["delta"].get("content") or "" for event in answer.events() for choice in event["choices"]]
        assert "".join(texts) == "word " * 40 and len(Words.latest.asked) > 2


async def test_a_shield_of_the_run_config_that_is_not_there_is_no_fault_of_the_request(serve: Serve) -> None:
    async with serve(input=["bmobs"]) as served:
        answer = await served.client.post("/v1/chat/completions", asked())
        assert (answer.status, answer.error["param"]) == (503, None)
        assert answer.error["message"].startswith("This server's own guardrails cannot be used: Shield `bmobs`")
        own = await served.client.post("/v1/chat/completions", asked(guardrails={"output": ["bmobs"]}))
        assert (own.status, own.error["param"]) == (404, "guardrails.output")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "vendor/small-embed", "input": "a bomb"}),
        ("/v1/rerank", {"model": "vendor/small-rerank", "query": "a bomb", "documents": ["a"]}),
    ],
)
async def test_what_goes_through_no_guardrails_says_so(
    serve: Serve, upstream: Upstream, path: str, body: dict[str, Any]
) -> None:
    """Else a vendor would be sent the field, and may pass it over."""
    async with serve() as served:
        answer = await served.client.post(path, {**body, "guardrails": ["bombs"]})
        assert (answer.status, answer.error["param"]) == (400, "guardrails")
        assert not upstream.calls(path.removeprefix("/v1"))


async def test_guardrails_whose_shields_are_not_mounted_are_a_wrong_run_config(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream
) -> None:
    with_words(monkeypatch)
    run = run_config(
        providers={"inference": [openai_at(upstream.url)], "safety": [WORDS]},
        apis=["inference"],
        safety={"guardrails": {"input": ["bombs"]}},
    )
    with pytest.raises(ConfigInvalid, match="the API safety is not mounted"):
        plan(run)


def test_a_shield_that_nobody_has_is_noted_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream
) -> None:
    """It may have been registered."""
    with_words(monkeypatch)
    run = run_config(
        providers={"inference": [openai_at(upstream.url)], "safety": [WORDS]},
        registered_resources=shields(bombs="bomb"),
        safety={"default_shield_id": "bombs", "guardrails": {"input": ["bombs", "bmobs"]}},
    )
    [warning] = plan(run).warnings
    assert "safety.guardrails.input[1]" in warning and "`bmobs` is not one of this run config" in warning
    assert "did you mean `bombs`?" in warning
