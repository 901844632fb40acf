"""Guardrails at the door of responses: what a shield finds ends a response with a refusal, whichever way it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from runtime.apis.safety.assessing import AssessRequest
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import Said, calls, says
from runtime.errors import Unavailable
from tests.conformance.responses.asking import MODEL, WEATHER, Asking, kinds, texts
from tests.conformance.responses.mcp_asking import mcp, types
from tests.conformance.responses.test_background import ended, followed
from tests.conformance.responses.ways import Talk
from tests.support.examples import servers as examples
from tests.support.examples.servers import Servers, text
from tests.support.mounting import add
from tests.support.raw_http import Listening
from tests.support.shields import WORDS, Words, shields, text_of, words_spec
from tests.support.stacks import openai_at

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
REFUSAL = "I cannot talk about that."
LIMA = '{"city": "Lima"}'
REFUSED_EVENTS = [
    "created", "in_progress", "output_item.added", "content_part.added", "refusal.delta", "refusal.done",
    "content_part.done", "output_item.done", "completed",
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(vendor: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A stack whose chats go through the shield `always` both ways unless the request says otherwise."""
    servers = [spec.found_in(api, examples.__name__) for api, spec in examples.SPECS]
    with pytest.MonkeyPatch.context() as patch:
        add(patch, [], [words_spec(), *servers])
        run = run_config(
            providers={
                "inference": [openai_at(vendor.url)],
                "safety": [WORDS],
                "connectors": [{"provider_id": "servers", "provider_type": "inline::written-down"}],
            },
            registered_resources=shields(bombs="bomb", guns="gun", always="poison"),
            safety={"guardrails": {"input": ["always"], "output": ["always"], "window_chars": 20}},
        )
        async with serving(run, tmp_path_factory.mktemp("state")) as running:
            yield running


@pytest.fixture(autouse=True)
def words(served: Served) -> Iterator[Words]:
    """The provider of shields."""
    found: Words = adapter_of(served.stack, "safety")
    found.asked.clear()
    yield found


def violation(shield: str, word: str, found_in: str) -> Json:
    return {
        "shield_id": shield,
        "found_in": found_in,
        "violation_level": "error",
        "user_message": REFUSAL,
        "metadata": {"categories": ["violence"], "violation_type": word},
    }


def without_input(response: Json) -> Json:
    return {name: value for name, value in response.items() if name != "input"}


def check_refused(response: Json, found: Json) -> None:
    """It is complete, and ends with the refusal."""
    assert (response["status"], response["error"], response["incomplete_details"]) == ("completed", None, None)
    assert response["violation"] == found
    item = response["output"][-1]
    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
    assert item["content"] == [{"type": "refusal", "refusal": REFUSAL}]


@pytest.mark.parametrize(
    "given", [["bombs"], [{"type": "bombs"}], {"input": ["bombs"]}, {"input": ["guns", "bombs"], "output": []}]
)
async def test_what_is_asked_is_refused(asking: Asking, given: Any) -> None:
    events, response = await asking.both(says("Sure"), "a bomb", guardrails=given)
    check_refused(response, violation("bombs", "bomb", "input"))
    assert len(response["output"]) == 1 and kinds(events) == REFUSED_EVENTS
    assert response["usage"]["total_tokens"] == 0
    assert without_input(await asking.kept(response["id"])) == response
    passed = await asking.whole("a cat", guardrails=given)
    assert texts(passed) == ["Sure"] and "violation" not in passed
    assert all("guardrails" not in seen.json() for seen in asking.vendor.calls("/chat/completions"))


async def test_a_short_answer_is_refused_before_anything_of_it_is_told(asking: Asking) -> None:
    events, response = await asking.both(says("take a ", "bomb"), guardrails={"output": ["bombs"]})
    check_refused(response, violation("bombs", "bomb", "output"))
    assert len(response["output"]) == 1 and kinds(events) == REFUSED_EVENTS
    assert response["usage"]["total_tokens"] == 12, "the model has written it"
    assert "bomb" not in str([item["content"] for item in response["output"]])


async def test_of_a_stream_that_is_stopped_what_was_told_is_kept_and_nothing_else(asking: Asking) -> None:
    before = [f"word{number} " for number in range(20)]
    asking.says(says(*before, "a bo", "mb ", *before))
    events = await asking.streamed(guardrails={"output": ["bombs"]})
    told = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    response = events[-1]["response"]
    said, _ = response["output"]
    check_refused(response, violation("bombs", "bomb", "output"))
    assert told and "".join([*before, "a bo"]).startswith(told) and len(told) > 60
    assert (said["status"], said["content"][0]["text"]) == ("incomplete", told)
    kept = without_input(await asking.kept(response["id"]))
    assert kept == response and "mb" not in str(kept["output"])
    added = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert added == response["output"]


@pytest.mark.parametrize("way", [calls(("c", "forecast", LIMA)), calls(("c", "forecast", LIMA), ("d", "book", LIMA))])
async def test_what_a_tool_gives_back_is_judged_as_what_is_asked(asking: Asking, servers: Servers, way: Said) -> None:
    servers.says["forecast"] = text("how to make a bomb")
    events, response = await asking.both([way, says("never")], tools=[mcp()], guardrails=["bombs"])
    check_refused(response, violation("bombs", "bomb", "input"))
    assert types(response)[1] == "mcp_call" and types(response)[-1] == "message"
    assert response["usage"]["total_tokens"] == 12, "of the answer that called the tool"
    assert kinds(events)[-7:] == REFUSED_EVENTS[2:]
    assert texts(response) == [""]


async def test_what_the_caller_answers_to_a_call_is_judged(asking: Asking) -> None:
    asking.says(calls(("c", "get_weather", LIMA)))
    first = await asking.whole(tools=[WEATHER], guardrails=["bombs"])
    result = {"type": "function_call_output", "call_id": "c", "output": "a bomb"}
    asking.says(says("Fine"))
    second = await asking.whole([result], previous_response_id=first["id"], tools=[WEATHER], guardrails=["bombs"])
    check_refused(second, violation("bombs", "bomb", "input"))


@pytest.mark.parametrize("streams", [False, True])
async def test_what_continues_reads_the_refusal_and_is_judged_for_what_is_new(
    asking: Asking, words: Words, streams: bool
) -> None:
    asking.says(says("Sure"))
    first = await asking.whole("a bomb", guardrails=["bombs"])
    asking.says(says("A cat"))
    fields: Json = {"previous_response_id": first["id"], "guardrails": ["bombs"]}
    words.asked.clear()
    if streams:
        second = (await asking.streamed("a cat?", **fields))[-1]["response"]
    else:
        second = await asking.whole("a cat?", **fields)
    assert texts(second) == ["A cat"] and "violation" not in second
    sent = asking.vendor.calls("/chat/completions")[-1].json()["messages"]
    assert [one["role"] for one in sent] == ["user", "assistant", "user"] and sent[1]["refusal"] == REFUSAL
    assert [text_of(one.messages[-1]) for one in words.asked] == ["a cat?", "A cat"]


async def test_a_conversation_goes_on_after_a_refusal(asking: Asking) -> None:
    asking.says(says("A cat"))
    conversation = (await asking.client.post("/v1/conversations", {})).json()["id"]
    check_refused(await asking.whole("poison", conversation=conversation), violation("always", "poison", "input"))
    assert texts(await asking.whole("a cat?", conversation=conversation)) == ["A cat"]
    items = (await asking.client.get(f"/v1/conversations/{conversation}/items?order=asc")).json()["data"]
    assert [item["content"][0]["type"] for item in items] == ["input_text", "refusal", "input_text", "output_text"]
    again = [{"type": "message", "role": "assistant", "content": items[1]["content"]}, {"role": "user", "content": "?"}]
    assert texts(await asking.whole(again)) == ["A cat"], "a refusal is sent back as it came"


async def test_those_of_the_run_config_come_by_themselves_and_can_be_left_out(asking: Asking) -> None:
    _, response = await asking.both(says("Sure"), "poison")
    check_refused(response, violation("always", "poison", "input"))
    assert "guardrails" not in response
    _, response = await asking.both(says("Sure"), "poison", guardrails=True)
    check_refused(response, violation("always", "poison", "input"))
    for given in (False, [], ["bombs"]):
        passed = await asking.whole("poison", guardrails=given)
        assert texts(passed) == ["Sure"] and passed["guardrails"] == given


async def test_in_the_background_it_is_the_same(asking: Asking) -> None:
    asking.says(says("Sure"))
    begun = await asking.whole("a bomb", background=True, guardrails=["bombs"])
    assert (begun["status"], "violation" in begun) == ("queued", False)
    check_refused(await ended(asking, begun["id"]), violation("bombs", "bomb", "input"))
    events = await asking.streamed("a bomb", background=True, guardrails=["bombs"])
    assert kinds(events) == ["created", "queued", *REFUSED_EVENTS[1:]]
    response = events[-1]["response"]
    check_refused(await asking.kept(response["id"]), violation("bombs", "bomb", "input"))
    assert await followed(asking, response["id"]) == events


async def test_over_a_websocket_it_is_the_same(asking: Asking, door: Listening) -> None:
    asking.says(says("A cat"))
    async with connect(f"ws://127.0.0.1:{door.port}/v1/responses") as socket:
        talk = Talk(socket)
        events = await talk.turn("a bomb", store=False, guardrails=["bombs"])
        assert kinds(events) == REFUSED_EVENTS
        first = events[-1]["response"]
        check_refused(first, violation("bombs", "bomb", "input"))
        second = await talk.turn("a cat?", store=False, guardrails=["bombs"], previous_response_id=first["id"])
        assert texts(second[-1]["response"]) == ["A cat"]


TALK: list[Json] = [
    {"role": "user", "content": "A joke?"},
    {"role": "assistant", "content": "Two llamas meet"},
    {"role": "user", "content": "Another?"},
]
COMPACTING = {"context_management": [{"type": "compaction", "compact_threshold": 1}]}


async def test_a_summary_that_is_refused_ends_the_response(asking: Asking) -> None:
    for said, found_in in ((says("harmless"), "input"), (says("a poison"), "output")):
        talk = [*TALK, {"role": "user", "content": "poison"}] if found_in == "input" else TALK
        _, response = await asking.both(said, talk, **COMPACTING)
        check_refused(response, violation("always", "poison", found_in))
        assert types(response) == ["message"], "there is no compaction"
        assert response["usage"]["total_tokens"] == (0 if found_in == "input" else 12)


async def test_a_summary_that_is_stopped_when_it_has_begun_stands_for_nothing(asking: Asking) -> None:
    asking.says(says(*(["so and so "] * 20), "a poison", *(["so on "] * 20)))
    events = await asking.streamed(TALK, **COMPACTING)
    response = events[-1]["response"]
    check_refused(response, violation("always", "poison", "output"))
    assert types(response) == ["compaction", "message"] and response["output"][0]["encrypted_content"] == ""
    script = asking.says(says("So"))
    assert texts(await asking.whole("On?", previous_response_id=response["id"])) == ["So"]
    assert [one["content"] for one in script.asked[0]["messages"]] == [
        *(one["content"] for one in TALK), None, "On?",
    ]  # fmt: skip


async def test_those_of_the_request_are_those_of_its_summary(asking: Asking) -> None:
    _, response = await asking.both(says("a bomb"), TALK, guardrails={"output": ["bombs"]}, **COMPACTING)
    check_refused(response, violation("bombs", "bomb", "output"))
    asking.says(says("a bomb"))
    body = {"model": MODEL, "input": TALK, "guardrails": ["bombs"]}
    answered = await asking.client.post("/v1/responses/compact", body)
    assert (answered.status, answered.error["code"]) == (400, "content_filter")
    assert REFUSAL in answered.error["message"] and "`bombs`" in answered.error["message"]


async def test_what_was_refused_is_not_asked_again_once_it_is_summarised(asking: Asking) -> None:
    asking.says(says("Sure"))
    first = await asking.whole("poison", previous_response_id=(await asking.whole("A joke?"))["id"])
    script = asking.says(says("summary"), says("So"))
    second = await asking.whole("And?", previous_response_id=first["id"], **COMPACTING)
    assert types(second) == ["compaction", "message"] and texts(second) == ["So"]
    assert all("poison" not in str(asked["messages"]) for asked in script.asked)
    third = await asking.whole("On?", previous_response_id=second["id"])
    assert texts(third) == ["So"]
    answered = await asking.client.post("/v1/responses/compact", {"model": MODEL, "previous_response_id": first["id"]})
    assert answered.status == 200, answered.body
    assert "poison" not in str(answered.json()["output"])


async def test_what_was_answered_before_a_summary_is_not_judged_again(asking: Asking, words: Words) -> None:
    talk = [one for at in range(40) for one in ({"role": "user", "content": f"{at}?"}, {**TALK[1]})]
    script = asking.says(says("summary"), says("So"))
    first = await asking.whole([*talk, TALK[0]], **COMPACTING)
    asked = [text_of(one.messages[-1]) for one in words.asked]
    assert len(asked) == 4 and asked[1:] == ["summary", "A joke?", "So"], "of the summary both ways, and the answer"
    words.asked.clear()
    second = await asking.whole("And?", previous_response_id=first["id"])
    assert [text_of(one.messages[-1]) for one in words.asked] == ["And?", "So"] and texts(second) == ["So"]
    assert sum(one["role"] == "user" for one in script.asked[-1]["messages"]) == 42, "the model reads them all"


@pytest.mark.parametrize("given", [["bmobs"], [{"type": "bmobs"}], {"input": ["bmobs"]}])
async def test_an_unknown_shield_is_refused_by_name(asking: Asking, given: Any) -> None:
    asking.says(says("Sure"))
    error = await asking.refused({"input": "Hi", "guardrails": given})
    param = "guardrails.input" if isinstance(given, dict) else "guardrails"
    assert (error["status"], error["param"]) == (404, param) and "did you mean `bombs`" in error["message"]


async def test_a_shield_that_fails_fails_the_response(
    asking: Asking, servers: Servers, words: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(request: AssessRequest) -> None:
        if "fails here" in text_of(request.messages[-1]):
            raise Unavailable("the guard is down")

    monkeypatch.setattr(words, "before_answer", fail)
    error = await asking.refused({"input": "it fails here"})
    assert error["status"] == 503 and "The shield `always` has failed: the guard is down" in error["message"]
    servers.says["forecast"] = text("it fails here")
    asking.says(calls(("c", "forecast", LIMA)), says("never"))
    events = await asking.streamed(tools=[mcp()])
    failed = events[-1]["response"]
    assert (failed["status"], failed["output"][-1]["type"]) == ("failed", "mcp_call") and "violation" not in failed
    assert "the guard is down" in failed["error"]["message"]


async def test_tokens_are_counted_as_if_there_were_none(asking: Asking) -> None:
    counted = []
    for given in (None, ["bombs"]):
        asked = {"model": MODEL, "input": "a bomb", **({"guardrails": given} if given else {})}
        counted.append((await asking.client.post("/v1/responses/input_tokens", asked)).json())
    assert counted[0] == counted[1] and "input_tokens" in counted[0]
