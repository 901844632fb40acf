"""Shields over a Llama Guard that a provider of inference serves."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import ValidationError

from runtime.apis.safety.categories import OPENAI_CATEGORIES
from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import Upstream, refusal, upstream_server
from runtime.conformance.upstream.scripted import Script, says
from runtime.providers.safety._llama_guard.settings import GuardSettings, VersionName
from runtime.providers.safety._llama_guard.versions import VERSION_NAMES, version_named
from runtime.providers.safety._user_message import USER_MESSAGE
from tests.support.guard_model import (
    GUARD_1B,
    GUARD_3,
    GUARD_4,
    HARMFUL,
    HARMFUL_IMAGE,
    HARMLESS,
    HARMLESS_IMAGE,
    GuardModel,
)
from tests.support.stacks import openai_at, serving

MODELS = {"three": GUARD_3, "one": GUARD_1B, "four": GUARD_4, "other": "my-model"}
GUARD = {"provider_id": "guard", "provider_type": "inline::llama-guard"}


@asynccontextmanager
async def guarded(folder: Path, vendor: Upstream, *, network: Any = None, **settings: Any) -> AsyncIterator[Client]:
    """Shields by the names in MODELS."""
    vendor.models = [*MODELS.values()]
    run = run_config(
        providers={
            "inference": [openai_at(vendor.url, **({"timeout_s": network} if network else {}))],
            "safety": [{**GUARD, "config": settings}],
        },
        registered_resources={
            "models": [{"model_id": "alias", "provider_id": "vendor", "provider_model_id": GUARD_3}],
            "shields": [{"shield_id": name, "provider_shield_id": f"vendor/{model}"} for name, model in MODELS.items()],
        },
    )
    async with serving(run, folder) as served:
        yield served.client


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[GuardModel]:
    async with upstream_server(make=GuardModel) as running:
        yield running


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def image(address: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": address}}


async def run(client: Client, shield: str, *messages: Any, **params: Any) -> Answered:
    said = [user(message) if isinstance(message, str | list) else message for message in messages]
    return await client.post("/v1/safety/run-shield", {"shield_id": shield, "messages": said, "params": params})


def chats(vendor: Upstream) -> list[Any]:
    return [seen.json() for seen in vendor.calls("/chat/completions")]


async def test_one_message_with_the_task_is_sent(tmp_path: Path, vendor: GuardModel) -> None:
    async with guarded(tmp_path, vendor) as client:
        answer = await run(client, "three", HARMFUL)
        assert answer.json()["violation"] == {
            "violation_level": "error",
            "user_message": USER_MESSAGE,
            "metadata": {
                "categories": ["illicit", "illicit/violent", "violence", "Violent Crimes"],
                "violation_type": "S1",
            },
        }
    [sent] = chats(vendor)
    [message] = sent.pop("messages")
    assert message["role"] == "user" and f"User: {HARMFUL}\n\n<END CONVERSATION>" in message["content"]
    assert sent.pop("model") == GUARD_3 and sent.pop("max_completion_tokens") == 100
    assert sent == {"temperature": 0, "stream": False, "store": False, "logprobs": True, "top_logprobs": 5}


@pytest.mark.parametrize("version", VERSION_NAMES)
async def test_every_version_is_asked_and_understood(tmp_path: Path, vendor: GuardModel, version: str) -> None:
    async with guarded(tmp_path, vendor, version=version) as client:
        first = version_named(version).categories[0]
        found = (await run(client, "other", HARMLESS, {"role": "assistant", "content": HARMFUL})).json()["violation"]
        assert found["metadata"]["violation_type"] == first.code
        assert found["metadata"]["categories"] == [
            *(name for name in OPENAI_CATEGORIES if name in first.openai), first.name,
        ]  # fmt: skip
        assert (await run(client, "other", HARMFUL, {"role": "assistant", "content": HARMLESS})).json() == {
            "violation": None
        }


async def test_a_score_is_how_sure_the_model_is(tmp_path: Path, vendor: GuardModel) -> None:
    async with guarded(tmp_path, vendor) as client:
        body = {"model": "three", "input": HARMFUL}
        [result] = (await client.post("/v1/moderations", body)).json()["results"]
        sure = pytest.approx(math.exp(-0.1))
        assert result["category_scores"]["violence"] == result["category_scores"]["Violent Crimes"] == sure
        assert result["category_scores"]["hate"] == 0
        assert result["category_applied_input_types"]["violence"] == ["text"]


async def test_a_model_without_log_probabilities_is_asked_for_them_once(tmp_path: Path, vendor: GuardModel) -> None:
    vendor.gives_logprobs = False
    async with guarded(tmp_path, vendor) as client:
        body = {"model": "three", "input": HARMFUL}
        for _ in range(2):
            [result] = (await client.post("/v1/moderations", body)).json()["results"]
            assert result["flagged"] is True and result["category_scores"]["violence"] == 1
        assert (await run(client, "one", HARMLESS)).json() == {"violation": None}
    assert [bool(sent.get("logprobs")) for sent in chats(vendor)] == [True, False, False, True, False]


async def test_what_the_vendor_refuses_anyway_is_told_and_likelihoods_are_asked_for_again(
    tmp_path: Path, vendor: GuardModel
) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return refusal(400, "the prompt is longer than the context")

    async with guarded(tmp_path, vendor) as client:
        vendor.misbehaves = refuse
        answer = await run(client, "three", HARMLESS)
        assert answer.status == 400 and "longer than the context" in answer.error["message"]
        vendor.misbehaves = None
        assert (await run(client, "three", HARMLESS)).json() == {"violation": None}
    assert chats(vendor)[-1]["logprobs"] is True


@pytest.mark.parametrize(
    ("said", "types"),
    [
        ("unsafe\nS1", "S1"),
        ("unsafe\nS1,S10\n", "S1,S10"),
        ("unsafe\nS77", "S77"),
        ("unsafe\nS10,hate speech", "S10,hate speech"),
        ("unsafe", None),
    ],
)
async def test_unsafe_is_flagged_whatever_follows(
    tmp_path: Path, vendor: GuardModel, said: str, types: str | None
) -> None:
    vendor.says = said
    async with guarded(tmp_path, vendor) as client:
        found = (await run(client, "three", HARMLESS)).json()["violation"]
        assert found["user_message"] == USER_MESSAGE and found["metadata"].get("violation_type") == types


@pytest.mark.parametrize("said", ["", "I can't help with that.", "safe, I think", "Safe\nunsafe", "{}", "S1"])
async def test_an_answer_that_is_no_verdict_is_an_error(tmp_path: Path, vendor: GuardModel, said: str) -> None:
    async with guarded(tmp_path, vendor) as client:
        vendor.misbehaves = Script(says(said))
        for answer in (
            await run(client, "three", HARMLESS),
            await client.post("/v1/moderations", {"model": "three", "input": HARMLESS}),
        ):
            assert answer.status == 502 and "neither `safe` nor `unsafe`" in answer.error["message"]


async def test_an_answer_that_is_no_completion_is_an_error(tmp_path: Path, vendor: GuardModel) -> None:
    async with guarded(tmp_path, vendor) as client:
        for choices in ([], [{}], [{"message": {"content": 7}}], [{"message": "safe"}]):

            async def answer(_: web.Request, choices: Any = choices) -> web.StreamResponse:
                return web.json_response({"object": "chat.completion", "choices": choices})

            vendor.misbehaves = answer
            assert (await run(client, "three", HARMLESS)).status == 502


async def test_a_limit_of_the_vendor_is_told_as_such(tmp_path: Path, vendor: GuardModel) -> None:
    async def limit(_: web.Request) -> web.StreamResponse:
        return refusal(429, "slow down", headers={"retry-after": "9"})

    async with guarded(tmp_path, vendor) as client:
        vendor.misbehaves = limit
        answer = await run(client, "three", HARMLESS)
        assert answer.status == 429 and answer.headers["retry-after"] == "9"
        assert len(chats(vendor)) == 1, "a limit says nothing of log-probabilities"


async def test_a_vendor_that_is_silent_is_an_error(tmp_path: Path, vendor: GuardModel) -> None:
    async def wait(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response(vendor.listed())
        await asyncio.Event().wait()
        raise AssertionError("nobody ends this")

    async with guarded(tmp_path, vendor, network=0.2) as client:
        vendor.misbehaves = wait
        assert (await run(client, "three", HARMLESS)).status == 504


async def test_a_message_that_says_nothing_is_not_sent(tmp_path: Path, vendor: GuardModel) -> None:
    async with guarded(tmp_path, vendor) as client:
        answer = await run(client, "three", HARMFUL, {"role": "assistant", "content": "", "tool_calls": []})
        assert answer.json() == {"violation": None}
    assert not chats(vendor)


async def test_calls_of_tools_are_judged(tmp_path: Path, vendor: GuardModel) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "search", "arguments": '{"q": "a bomb"}'}}
    async with guarded(tmp_path, vendor) as client:
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        assert (await run(client, "three", HARMLESS, said)).json()["violation"] is not None


async def test_what_a_shield_is_told_goes_before_the_provider_s_settings(tmp_path: Path, vendor: GuardModel) -> None:
    async with guarded(tmp_path, vendor, excluded_categories=["S1"]) as client:
        hate = "hate and a bomb"
        assert (await run(client, "three", hate)).json()["violation"]["metadata"]["violation_type"] == "S10"
        assert "S1: " not in chats(vendor)[-1]["messages"][0]["content"]
        narrow = {"shield_id": "narrow", "provider_shield_id": f"vendor/{GUARD_3}", "provider_id": "guard"}
        narrow["params"] = {"excluded_categories": ["S10"], "version": None}  # type: ignore[assignment]
        assert (await client.post("/v1/shields", narrow)).status == 200
        assert (await run(client, "narrow", hate)).json()["violation"]["metadata"]["violation_type"] == "S1"
        both = await run(client, "narrow", hate, excluded_categories=["S1", "S10"])
        assert both.json() == {"violation": None}


async def test_categories_of_one_s_own(tmp_path: Path, vendor: GuardModel) -> None:
    vendor.says = "unsafe\nS1"
    own = {"code": "S1", "name": "Spoilers", "description": "How a film ends.", "openai": ["harassment"]}
    async with guarded(tmp_path, vendor) as client:
        found = (await run(client, "three", HARMLESS, categories=[own])).json()["violation"]
        assert found["metadata"]["categories"] == ["harassment", "Spoilers"]
        assert "S1: Spoilers.\nHow a film ends.\n<END" in chats(vendor)[-1]["messages"][0]["content"]


async def test_a_conversation_is_sent_as_it_is_to_a_model_with_a_template(tmp_path: Path, vendor: GuardModel) -> None:
    vendor.template = True
    answered = {"role": "assistant", "content": HARMFUL}
    async with guarded(tmp_path, vendor, form="conversation", excluded_categories=["S10"]) as client:
        answer = await run(client, "three", {"role": "system", "content": "x"}, "hi", answered)
        assert answer.json()["violation"]["metadata"]["violation_type"] == "S1"
        assert chats(vendor)[-1]["messages"] == [user("hi"), answered]
        assert (await run(client, "three", "hate")).json() == {"violation": None}, "it is excluded"


async def test_an_image_is_judged_by_a_version_that_sees(tmp_path: Path, vendor: GuardModel) -> None:
    async with guarded(tmp_path, vendor) as client:
        parts = [{"type": "text", "text": "?"}, image(HARMFUL_IMAGE)]
        [result] = (await client.post("/v1/moderations", {"model": "four", "input": parts})).json()["results"]
        assert result["categories"]["sexual"] and result["category_applied_input_types"]["sexual"] == ["text", "image"]
        vision = await run(client, "other", parts, version="3-11b-vision")
        assert vision.json()["violation"]["metadata"]["violation_type"] == "S12"
        first, task = chats(vendor)[-1]["messages"][0]["content"]
        assert first == image(HARMFUL_IMAGE) and task["text"].startswith("Task: ")
        blind = await run(client, "three", parts)
        assert blind.status == 400 and "Llama Guard 3 8B reads text alone" in blind.error["message"]


async def test_what_is_not_looked_at_in_earlier_messages_is_said(tmp_path: Path, vendor: GuardModel) -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    answered = {"role": "assistant", "content": "I see."}
    async with guarded(tmp_path, vendor) as client:
        answer = await run(client, "three", [image(HARMLESS_IMAGE), audio], answered, HARMLESS)
        assert answer.json() == {"violation": None}
        warnings = answer.headers["x-llama-warnings"]
        assert "did not look at 1 of the images" in warnings and "input_audio" in warnings


async def test_the_version_is_told_by_the_model_behind_an_alias(tmp_path: Path, vendor: GuardModel) -> None:
    async with guarded(tmp_path, vendor) as client:
        made = {"shield_id": "mine", "provider_shield_id": "alias", "provider_id": "guard"}
        assert (await client.post("/v1/shields", made)).status == 200
        assert (await run(client, "mine", HARMFUL)).json()["violation"] is not None
        assert "S14: Code Interpreter Abuse" in chats(vendor)[-1]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("params", "param", "words"),
    [
        ({"version": "5"}, "params", "`params.version`"),
        ({"excluded_categories": ["S99"]}, None, "`S99` is no category of Llama Guard 3 8B"),
        ({"excluded_categories": [f"S{n}" for n in range(1, 15)]}, None, "Every category is excluded"),
        ({"exclude": ["S1"]}, "params", "`params.exclude`"),
        ({"form": "conversation", "categories": [{"code": "S1", "name": "A"}]}, "params", "form: task"),
        ({"categories": [{"code": "x", "name": "A"}]}, "params", "code `x`"),
    ],
)
async def test_a_wrong_parameter_is_refused_when_registered_and_when_asked(
    tmp_path: Path, vendor: GuardModel, params: Any, param: str | None, words: str
) -> None:
    async with guarded(tmp_path, vendor) as client:
        made = {"shield_id": "mine", "provider_shield_id": f"vendor/{GUARD_3}", "params": params}
        for answer in (await client.post("/v1/shields", made), await run(client, "three", HARMLESS, **params)):
            assert (answer.status, answer.error["param"]) == (400, param), answer.body
            assert words in answer.error["message"]
    assert not chats(vendor)


async def test_a_model_that_does_not_tell_its_version_needs_one(tmp_path: Path, vendor: GuardModel) -> None:
    async with guarded(tmp_path, vendor) as client:
        answer = await run(client, "other", HARMLESS)
        assert (answer.status, answer.error["param"]) == (400, "params")
        assert "`vendor/my-model` does not tell" in answer.error["message"]
        assert (await run(client, "other", HARMFUL, version="2")).json()["violation"] is not None
        assert "S11: Sexual Content. " in chats(vendor)[-1]["messages"][0]["content"]


async def test_a_model_that_nobody_serves(tmp_path: Path, vendor: GuardModel) -> None:
    async with guarded(tmp_path, vendor) as client:
        made = {"shield_id": "mine", "provider_shield_id": "vendor/llama-guard3:9b", "params": {"version": "3-8b"}}
        answer = await client.post("/v1/shields", made)
        assert (answer.status, answer.error["param"]) == (400, "provider_shield_id")
        assert f"vendor/{GUARD_3}" in answer.error["message"]
        vendor.models = []
        gone = await client.post("/v1/moderations", {"model": "three", "input": HARMLESS})
        assert gone.status == 404


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"version": "5"}, "3-8b"),
        ({"form": "conversation", "categories": [{"code": "S1", "name": "A"}]}, "form: task"),
        ({"categories": [{"code": "S1", "name": "hate"}]}, "that of one of OpenAI's"),
        ({"enable_prompt_guard": True}, "enable_prompt_guard"),
    ],
)
def test_a_wrong_setting_is_refused(settings: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        GuardSettings.model_validate(settings)


def test_a_version_may_be_a_number_as_yaml_reads_it() -> None:
    assert GuardSettings.model_validate({"version": 4}).version == "4"


def test_every_version_can_be_set() -> None:
    assert VersionName.__origin__.__args__ == VERSION_NAMES
