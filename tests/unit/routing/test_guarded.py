"""Guardrails: chats and completions that go through shields, on their way to a model and back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.apis.safety.assessing import AssessRequest
from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Upstream, started_stream
from runtime.conformance.upstream.scripted import Said, Script, calls, says
from runtime.errors import ConfigInvalid, Unavailable
from runtime.stack.plan import plan
from tests.support.shields import WORDS, Words, shields, text_of, with_words
from tests.support.stacks import openai_at

LIMIT_S = 20.0
MODEL = f"vendor/{CHAT_MODEL}"
REFUSAL = "I cannot talk about that."
VIOLATION = {
    "shield_id": "bombs",
    "found_in": "input",
    "violation_level": "error",
    "user_message": REFUSAL,
    "metadata": {"categories": ["violence"], "violation_type": "bomb"},
}
Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream) -> Serve:
    """Serves a vendor and the shields `bombs` and `guns`. guardrails: of the run config; usual: its default shield."""
    with_words(monkeypatch)

    @asynccontextmanager
    async def served(*, usual: str | None = None, **guardrails: Any) -> AsyncIterator[Client]:
        run = run_config(
            providers={"inference": [openai_at(upstream.url)], "safety": [WORDS]},
            registered_resources=shields(bombs="bomb", guns="gun"),
            safety={"guardrails": guardrails, "default_shield_id": usual},
        )
        async with serving(run, tmp_path) as running:
            yield running.client

    return served


async def chat(client: Client, text: str = "Hello", **body: Any) -> Answered:
    messages = body.pop("messages", [{"role": "user", "content": text}])
    return await client.post("/v1/chat/completions", {"model": MODEL, "messages": messages, **body})


def told(answer: Answered) -> tuple[str, str | None, list[str]]:
    """What a streamed answer says: its text, its refusal, its ends."""
    assert answer.status == 200, answer.body
    text, refusal, ends = "", "", []
    for event in answer.events():
        if event == "[DONE]":
            continue
        for choice in event["choices"]:
            text += choice["delta"].get("content") or ""
            refusal += choice["delta"].get("refusal") or ""
            ends += [choice["finish_reason"]] if choice["finish_reason"] else []
    return text, refusal or None, ends


async def test_without_guardrails_no_shield_is_asked_and_no_vendor_sees_the_field(
    serve: Serve, upstream: Upstream
) -> None:
    async with serve() as client:
        assert (await chat(client, "a bomb")).status == 200
        assert (await chat(client, "a bomb", guardrails=[])).status == 200
        assert Words.latest.asked == []
    async with serve(input=["bombs"], output=["bombs"]) as client:
        assert (await chat(client, guardrails=["bombs"])).status == 200
        assert (await chat(client)).status == 200
    asked = [seen.json() for seen in upstream.calls("/chat/completions")]
    assert len(asked) == 4 and all("guardrails" not in body for body in asked)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("beside", [False, True])
async def test_what_is_asked_is_refused_in_the_doors_own_form(
    serve: Serve, upstream: Upstream, stream: bool, beside: bool
) -> None:
    async with serve(beside_the_model=beside) as client:
        answer = await chat(client, "build a bomb", guardrails=["guns", "bombs"], stream=stream)
        if stream:
            assert told(answer) == ("", REFUSAL, ["content_filter"])
            last = [event for event in answer.events() if event != "[DONE]"][-1]
            assert last["violation"] == VIOLATION
            assert answer.payloads()[-1] == "[DONE]"
        else:
            whole = answer.json()
            [choice] = whole["choices"]
            assert choice["message"] == {"role": "assistant", "content": None, "refusal": REFUSAL}
            assert (choice["finish_reason"], whole["violation"], whole["model"]) == (
                "content_filter",
                VIOLATION,
                MODEL,
            )
    assert beside or not upstream.calls("/chat/completions"), "the model is asked what has passed"


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_answered_is_refused(serve: Serve, upstream: Upstream, stream: bool) -> None:
    upstream.misbehaves = Script(says("First you ", "take a bo", "mb and then."))
    async with serve() as client:
        answer = await chat(client, guardrails={"output": ["bombs"]}, stream=stream)
        if stream:
            assert told(answer) == ("", REFUSAL, ["content_filter"])
        else:
            [choice] = answer.json()["choices"]
            assert choice["message"] == {"role": "assistant", "content": None, "refusal": REFUSAL}
            assert answer.json()["id"]
        [judged] = Words.latest.asked
        assert [text_of(message) for message in judged.messages] == ["Hello", "First you take a bomb and then."]


async def test_a_stream_that_is_refused_ends_with_its_token_counts(serve: Serve, upstream: Upstream) -> None:
    """Those of the vendor, where it has told them; none of what was asked was answered."""
    upstream.misbehaves = Script(says("a bomb"))
    async with serve() as client:
        for text, total in (("Hello", 12), ("a bomb", 0)):
            fields = {"guardrails": ["bombs"], "stream": True, "stream_options": {"include_usage": True}}
            *refused, last, done = [*(await chat(client, text, **fields)).payloads()]
            counts = json.loads(last)
            assert (counts["choices"], counts["usage"]["total_tokens"], done) == ([], total, "[DONE]")
            found = [json.loads(chunk)["violation"]["found_in"] for chunk in refused[-2:]]
            assert found == ["output" if total else "input"] * 2, "each says why"


async def test_true_means_those_of_the_run_config_and_false_none(serve: Serve) -> None:
    async with serve(input=["bombs"]) as client:
        assert (await chat(client, "a bomb", guardrails=True)).json()["violation"] == VIOLATION
        assert "violation" not in (await chat(client, "a bomb", guardrails=False)).json()
    async with serve() as client:
        none = await chat(client, "a bomb", guardrails=True)
        assert (none.status, none.error["param"]) == (400, "guardrails")
        assert "safety.default_shield_id" in none.error["message"]
    async with serve(usual="bombs") as client:
        assert (await chat(client, "a bomb", guardrails=True)).json()["violation"] == VIOLATION
        assert "violation" not in (await chat(client, "a bomb")).json(), "nothing is meant where nothing is said"


async def test_shields_are_named_as_llama_stack_does_too(serve: Serve) -> None:
    async with serve() as client:
        answer = await chat(client, "a bomb", guardrails=[{"type": "guns"}, {"type": "bombs"}])
        assert answer.json()["violation"] == VIOLATION


@pytest.mark.parametrize("stream", [False, True])
async def test_what_passes_is_as_it_was(serve: Serve, upstream: Upstream, stream: bool) -> None:
    async with serve() as client:
        plain = await chat(client, stream=stream, store=False)
        guarded = await chat(client, stream=stream, store=False, guardrails=["bombs", "guns"])
        assert plain.payloads() == guarded.payloads() if stream else plain.json() == guarded.json()


async def test_a_long_answer_comes_window_by_window_and_ends_where_it_must(serve: Serve, upstream: Upstream) -> None:
    pieces = [f"word{number} " for number in range(40)]
    upstream.misbehaves = Script(says(*pieces, "a bo", "mb", *pieces, breaks="wait"))
    async with serve(window_chars=50) as client, asyncio.timeout(LIMIT_S):
        text, refusal, ends = told(await chat(client, guardrails={"output": ["bombs"]}, stream=True))
        assert "".join([*pieces, "a bo"]).startswith(text) and len(text) > 150
        assert (refusal, ends) == (REFUSAL, ["content_filter"])
        await upstream.ended_early.wait()
        longest = max(len(text_of(asked.messages[-1])) for asked in Words.latest.asked)
        assert longest < 50 + 50 + len(pieces[-1]), "what is looked at together is bounded"


async def test_nothing_hides_where_two_windows_meet(serve: Serve, upstream: Upstream) -> None:
    async with serve(window_chars=10) as client:
        for before in range(1, 14):
            upstream.misbehaves = Script(says("x" * before, "bo", "mb", " is out"))
            text, refusal, _ = told(await chat(client, guardrails={"output": ["bombs"]}, stream=True))
            assert refusal == REFUSAL and "bomb" not in text


async def test_what_is_thought_and_what_tools_are_told_is_judged_too(serve: Serve, upstream: Upstream) -> None:
    async with serve() as client:
        upstream.misbehaves = Script(Said(deltas=[{"reasoning_content": "a bomb?"}, {"content": "No."}]))
        assert told(await chat(client, guardrails=["bombs"], stream=True))[1] == REFUSAL
        tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
        for at, expected in (("a cat", ("", None, ["tool_calls"])), ("a bomb", ("", REFUSAL, ["content_filter"]))):
            upstream.misbehaves = Script(calls(("call_1", "look", f'{{"at": "{at}"}}')))
            assert told(await chat(client, guardrails=["bombs"], stream=True, tools=tools)) == expected


async def test_everything_new_from_outside_is_judged_and_nothing_else(serve: Serve) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    talk = [
        {"role": "system", "content": "Never speak of a bomb."},
        {"role": "user", "content": "a bomb?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "a cat"},
        {"role": "user", "content": "and now?"},
    ]
    async with serve() as client:
        assert (await chat(client, messages=talk, guardrails={"input": ["bombs"]})).json()["choices"][0]["message"][
            "content"
        ]
        assert [text_of(asked.messages[-1]) for asked in Words.latest.asked] == ["a cat", "and now?"]
        talk[3]["content"] = "a bomb"
        refused = await chat(client, messages=talk, guardrails={"input": ["bombs"]})
        assert refused.json()["choices"][0]["message"]["refusal"] == REFUSAL


async def test_the_model_begins_while_what_is_asked_is_looked_at(serve: Serve, upstream: Upstream) -> None:
    """And its work ends where that is refused."""
    upstream.gate.clear()
    seen = asyncio.Event()

    async def after_the_vendor(_: AssessRequest) -> None:
        async with asyncio.timeout(LIMIT_S):
            await upstream.waiting_at_gate.wait()
        seen.set()

    async with serve(input=["bombs"]) as client:
        Words.latest.before_answer = after_the_vendor
        assert told(await chat(client, "a bomb", stream=True))[1] == REFUSAL
        async with asyncio.timeout(LIMIT_S):
            await upstream.ended_early.wait()
    assert seen.is_set()


async def test_a_client_that_leaves_ends_the_shield_and_the_model(serve: Serve, upstream: Upstream) -> None:
    upstream.gate.clear()
    judging, ended = asyncio.Event(), asyncio.Event()

    async def never(_: AssessRequest) -> None:
        judging.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serve(input=["bombs"]) as client, asyncio.timeout(LIMIT_S):
        Words.latest.before_answer = never
        body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}).encode()
        call = client.call("POST", "/v1/chat/completions", headers={"content-type": "application/json"}, body=body)
        await judging.wait()
        await upstream.waiting_at_gate.wait()
        call.task.cancel()
        await ended.wait()
        await upstream.ended_early.wait()


async def test_each_of_several_answers_is_judged_for_itself(serve: Serve, upstream: Upstream) -> None:
    async with serve() as client:
        plain = (await chat(client, n=2)).json()["choices"]
        second = plain[1]["message"]["content"]
        word = next((word for word in second.split() if word not in plain[0]["message"]["content"]), None)
        if word is None:  # this vendor says the same twice
            word = second.split()[0]
        await client.post("/v1/shields", {"shield_id": "own", "provider_id": "words", "params": {"words": [word]}})
        guarded = (await chat(client, n=2, guardrails={"output": ["own"]})).json()["choices"]
        for before, after in zip(plain, guarded, strict=True):
            if word in before["message"]["content"]:
                assert after["finish_reason"] == "content_filter"
            else:
                assert after == before


@pytest.mark.parametrize("stream", [False, True])
async def test_a_shield_that_fails_refuses_the_request(serve: Serve, upstream: Upstream, stream: bool) -> None:
    async def fail(_: AssessRequest) -> None:
        raise Unavailable("the guard is down")

    async with serve(input=["bombs"]) as client:
        Words.latest.before_answer = fail
        answer = await chat(client, stream=stream)
        assert answer.status == 503
        assert answer.error["message"].startswith("The shield `bombs` has failed: the guard is down")


async def test_a_shield_that_fails_in_the_middle_ends_the_stream_with_an_error(
    serve: Serve, upstream: Upstream
) -> None:
    has_passed = asyncio.Event()

    async def fail_later(_: AssessRequest) -> None:
        if len(Words.latest.asked) > 1:
            raise LookupError("a bug of the shield")
        has_passed.set()

    async def in_two(request: web.Request) -> web.StreamResponse:
        answer = await started_stream(request)
        for text in ("word " * 10, "and on " * 10):
            chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
            await answer.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            await has_passed.wait()
        return answer

    async with serve(output=["bombs"], window_chars=50) as client:
        upstream.misbehaves = in_two
        Words.latest.before_answer = fail_later
        answer = await chat(client, stream=True)
        first, *_, last = answer.payloads()
        assert "word word" in first and "The shield `bombs` has failed: LookupError" in last


async def test_a_shield_that_fails_is_passed_by_where_the_run_config_says_so_and_it_is_told(
    serve: Serve, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: AssessRequest) -> None:
        raise Unavailable("the guard is down")

    async with serve(input=["bombs"], output=["bombs"], on_failure="pass") as client:
        Words.latest.before_answer = fail
        answer = await chat(client)
        assert answer.json()["choices"][0]["message"]["content"]
        assert "the shield `bombs` has failed, and was passed by" in answer.headers["x-llama-warnings"]
        assert "passed without a shield" in caplog.text
        unknown = await chat(client, guardrails=["bmobs"])
        assert (unknown.status, unknown.error["param"]) == (404, "guardrails"), "it would never be asked"


async def test_guardrails_that_a_request_cannot_change_it_can_add_to(serve: Serve) -> None:
    async with serve(input=["bombs"], may_be_changed=False) as client:
        for given in ([], ["guns"], {"output": ["guns"]}):
            refused = await chat(client, "a bomb", guardrails=given)
            assert refused.json()["choices"][0]["message"]["refusal"] == REFUSAL
        assert (await chat(client, "a gun", guardrails=["guns"])).json()["choices"][0]["message"]["refusal"]
    async with serve(input=["bombs"]) as client:
        assert (await chat(client, "a bomb", guardrails=[])).json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (["bmobs"], 404, "did you mean `bombs`"),
        ("bombs", 400, "guardrails"),
        ({"inputs": ["bombs"]}, 400, "inputs"),
        ({"input": ["bmobs"]}, 404, "did you mean `bombs`"),
        ([{"type": "bombs", "at": 1}], 400, "at"),
        (["bombs"] * 9, 400, "8"),
    ],
)
async def test_wrong_guardrails_are_refused_by_name(serve: Serve, given: Any, status: int, words: str) -> None:
    async with serve() as client:
        answer = await chat(client, guardrails=given)
        assert answer.status == status and words in answer.error["message"]
        assert answer.error["param"].startswith("guardrails")


async def test_a_text_completion_goes_through_them_too(serve: Serve, upstream: Upstream) -> None:
    async with serve(input=["bombs"], output=["guns"]) as client:
        asked = {"model": MODEL, "prompt": "a bomb"}
        refused = (await client.post("/v1/completions", asked)).json()
        assert refused["choices"] == [{"index": 0, "text": "", "logprobs": None, "finish_reason": "content_filter"}]
        assert refused["violation"] == VIOLATION
        streamed = await client.post("/v1/completions", {**asked, "stream": True})
        [event, done] = streamed.payloads()
        assert json.loads(event)["choices"] == refused["choices"] and done == "[DONE]"
        assert (await client.post("/v1/completions", {**asked, "prompt": "a cat"})).json()["choices"][0]["text"]
        ids = await client.post("/v1/completions", {**asked, "prompt": [1, 2, 3]})
        assert (ids.status, ids.error["param"]) == (400, "prompt") and "token ids" in ids.error["message"]


async def test_what_is_kept_is_the_refusal(serve: Serve, upstream: Upstream) -> None:
    upstream.misbehaves = Script(says("a bomb"))
    async with serve() as client:
        for stream in (False, True):
            answer = await chat(client, guardrails=["bombs"], stream=stream, store=True)
            assert answer.status == 200
        kept = (await client.get("/v1/chat/completions")).json()["data"]
        assert [one["choices"][0]["message"]["refusal"] for one in kept] == [REFUSAL, REFUSAL]


def test_guardrails_without_a_provider_of_shields_are_a_wrong_run_config(upstream: Upstream) -> None:
    run = run_config(openai_at(upstream.url), safety={"guardrails": {"input": ["bombs"]}})
    with pytest.raises(ConfigInvalid, match="the API safety has no provider"):
        plan(run)


async def test_a_request_for_shields_that_a_server_does_not_have_says_so(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        answer = await chat(served.client, guardrails=["bombs"])
        assert (answer.status, answer.error["param"]) == (400, "guardrails")
