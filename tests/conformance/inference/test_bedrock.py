"""Bedrock's own: who calls, which models there are, and what becomes of a request by each of its doors."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served
from runtime.conformance.upstream import Seen
from runtime.providers.inference.bedrock.answers import usage_of
from tests.conformance.inference.subjects.bedrock import KEY, bedrock
from tests.support.aws import KEY_ID, SECRET
from tests.support.bedrock import (
    CLAUDE,
    EMBEDDERS,
    GPT,
    LLAMA,
    NEWER_CLAUDE,
    OF_ACCOUNT,
    OLD_CLAUDE,
    RERANKERS,
    SMALL_LLAMA,
    TITAN_TEXT,
    UNKNOWN,
    Bedrock,
    event_message,
)
from tests.support.bedrock_form import SIGNATURE

HI = [{"role": "user", "content": "Say JSON."}]
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
NOBODY = {"aws_access_key_id": None, "aws_secret_access_key": None}
FORM = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {}}}}


async def chat(served: Served, model: str, **fields: Any) -> Answered:
    body = {"model": f"bedrock/{model}", "messages": HI, **fields}
    return await served.client.post("/v1/chat/completions", body)


def sent(server: Bedrock) -> dict[str, Any]:
    found: dict[str, Any] = server.seen[-1].json()
    return found


def posts(server: Bedrock) -> list[Seen]:
    return [seen for seen in server.seen if seen.method == "POST"]


def warnings(answer: Answered) -> str:
    assert answer.status == 200, answer.body
    return answer.headers.get("x-llama-warnings", "")


async def test_models_are_those_that_can_be_asked_with_what_they_are(tmp_path: Path) -> None:
    async with bedrock(tmp_path) as (served, _):
        listed = (await served.client.get("/v1/models")).json()["data"]
    found = {model["id"].removeprefix("bedrock/"): model for model in listed}
    assert {f"eu.{CLAUDE}", f"global.{CLAUDE}", CLAUDE, f"eu.{LLAMA}", LLAMA, OF_ACCOUNT, GPT} <= found.keys()
    assert not any("canvas" in name for name in found)
    assert {found[name]["model_type"] for name in EMBEDDERS} == {"embedding"}
    assert {found[name]["model_type"] for name in RERANKERS} == {"rerank"}
    assert found[f"eu.{CLAUDE}"]["model_type"] == "llm"
    assert "image" in str(found[f"eu.{CLAUDE}"]) and "1024" in str(found[EMBEDDERS[0]])


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (LLAMA, f"eu.{LLAMA}"),
        (CLAUDE, f"eu.{CLAUDE}"),
        (f"global.{CLAUDE}", f"global.{CLAUDE}"),
        (OF_ACCOUNT, OF_ACCOUNT),
        (OLD_CLAUDE, OLD_CLAUDE),
    ],
)
async def test_a_model_that_has_only_profiles_is_asked_by_the_nearest(tmp_path: Path, model: str, asked: str) -> None:
    async with bedrock(tmp_path) as (served, server):
        assert (await chat(served, model)).status == 200
        assert posts(server)[-1].path == f"/model/{asked}/converse"


@pytest.mark.parametrize("setting", ["api_key", "aws_bedrock_bearer_token"])
async def test_a_key_goes_as_bearer_and_others_are_signed(tmp_path: Path, setting: str) -> None:
    async with bedrock(tmp_path, **{setting: KEY}) as (served, server):
        assert (await chat(served, OLD_CLAUDE)).status == 200
        assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
    async with bedrock(tmp_path) as (served, server):
        assert (await chat(served, OLD_CLAUDE)).status == 200
        assert all(seen.headers["authorization"].startswith("AWS4-HMAC-SHA256 ") for seen in server.seen)


@pytest.mark.parametrize("name", ["aws_bearer_token_bedrock", "aws_bedrock_bearer_token", "bedrock_api_key"])
async def test_a_caller_s_key_comes_first(tmp_path: Path, name: str) -> None:
    async with bedrock(tmp_path) as (served, server):
        brought = {"x-llamastack-provider-data": json.dumps({name: KEY})}
        body = {"model": f"bedrock/{OLD_CLAUDE}", "messages": HI}
        assert (await served.client.post("/v1/chat/completions", body, headers=brought)).status == 200
        assert server.seen[-1].headers["authorization"] == f"Bearer {KEY}"


async def test_the_key_of_this_process_is_used_unless_the_config_says_who_calls(tmp_path: Path) -> None:
    for config, is_key in ((NOBODY, True), ({}, False)):
        async with bedrock(tmp_path, env={"AWS_BEARER_TOKEN_BEDROCK": KEY}, **config) as (served, server):
            assert (await chat(served, OLD_CLAUDE)).status == 200
            assert (server.seen[-1].headers["authorization"] == f"Bearer {KEY}") is is_key


async def test_the_region_is_that_of_llama_stack_where_nothing_says_another(tmp_path: Path) -> None:
    async with bedrock(tmp_path, region_name=None) as (served, server):
        server.aws.region = "us-east-2"
        assert (await chat(served, OLD_CLAUDE)).status == 200
        assert "/us-east-2/bedrock/" in server.seen[-1].headers["authorization"]


async def test_without_credentials_it_serves_on_and_says_what_is_missing(tmp_path: Path) -> None:
    async with bedrock(tmp_path, **NOBODY) as (served, server):
        assert (await served.client.get("/v1/models")).json()["data"] == []
        (provider,) = [
            one for one in (await served.client.get("/v1/providers")).json()["data"] if one["provider_id"] == "bedrock"
        ]
        assert "aws_access_key_id" in provider["health"]["message"]
        assert server.seen == []
    async with bedrock(tmp_path, allowed_models=[OLD_CLAUDE], **NOBODY) as (served, _):
        answer = await chat(served, OLD_CLAUDE)
        assert answer.status == 503 and "no credentials of AWS" in answer.error["message"]


async def test_who_may_not_list_models_says_which_are_served(tmp_path: Path) -> None:
    async with bedrock(tmp_path, allowed_models=[f"eu.{CLAUDE}", OLD_CLAUDE]) as (served, server):
        assert len((await served.client.get("/v1/models")).json()["data"]) == 2
        server.lists = False
        assert (await chat(served, OLD_CLAUDE)).status == 200


async def test_a_refused_key_is_not_the_caller_s_fault(tmp_path: Path) -> None:
    async with bedrock(tmp_path, allowed_models=[OLD_CLAUDE], api_key="another-key-entirely") as (served, _):
        answer = await chat(served, OLD_CLAUDE)
        assert (answer.status, answer.error["code"]) == (502, "upstream_refused_key")
        assert "another-key-entirely" not in answer.error["message"]


async def test_openai_s_models_are_asked_by_openai_s_protocol_unless_the_config_says_otherwise(tmp_path: Path) -> None:
    for config, path in (
        ({}, "/openai/v1/chat/completions"),
        ({"protocol": "converse"}, f"/model/{GPT}/converse"),
    ):
        async with bedrock(tmp_path, **config) as (served, server):
            assert (await chat(served, GPT)).status == 200
            assert server.seen[-1].path == path


async def test_mantle_has_a_list_and_a_signature_of_its_own(tmp_path: Path) -> None:
    async with bedrock(tmp_path, protocol="mantle") as (served, server):
        listed = (await served.client.get("/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == ["bedrock/openai.gpt-oss-20b"]
        assert (await chat(served, "openai.gpt-oss-20b")).status == 200
        assert server.seen[-1].path == "/v1/chat/completions"


async def test_all_of_a_request_reaches_converse(tmp_path: Path) -> None:
    data = b64encode(PNG).decode()
    content = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}},
        {"type": "file", "file": {"filename": "a_b.c.md", "file_data": "data:text/markdown;base64,aGk="}},
        {"type": "file", "file": {"filename": "a_b.c.md", "file_data": "aGk="}},
        {"type": "file", "file": {"file_data": "s3://bucket/report.pdf"}},
        {"type": "text", "text": "  ", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": content},
        {"role": "user", "content": "And now?"},
    ]
    fields = {"max_completion_tokens": 7, "temperature": 0.5, "top_p": 0.9, "stop": "x", "service_tier": "flex"}
    async with bedrock(tmp_path, readable_addresses=["s3://bucket/"]) as (served, server):
        answer = await chat(served, f"eu.{CLAUDE}", messages=messages, top_k=5, user="me", **fields)
        assert warnings(answer) == ""
        body = sent(server)
        assert answer.json()["usage"]["prompt_tokens_details"] == {"cached_tokens": 2}
    counts = {"inputTokens": 5, "cacheReadInputTokens": 2, "cacheWriteInputTokens": 3, "outputTokens": 1}
    kept = {"cached_tokens": 2, "cache_write_tokens": 3}
    assert usage_of(counts)["prompt_tokens_details"] == kept and usage_of(counts)["prompt_tokens"] == 10
    assert body["system"] == [{"text": "Be brief."}, {"text": "Be kind."}]
    assert body["inferenceConfig"] == {"maxTokens": 7, "temperature": 0.5, "topP": 0.9, "stopSequences": ["x"]}
    assert body["additionalModelRequestFields"] == {"top_k": 5} and body["serviceTier"] == {"type": "flex"}
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"text": "Look"},
                {"image": {"format": "png", "source": {"bytes": data}}},
                {"document": {"format": "md", "name": "a b c", "source": {"bytes": "aGk="}}},
                {"document": {"format": "md", "name": "a b c (2)", "source": {"bytes": "aGk="}}},
                {
                    "document": {
                        "format": "pdf",
                        "name": "document",
                        "source": {"s3Location": {"uri": "s3://bucket/report.pdf"}},
                    }
                },
                {"cachePoint": {"type": "default", "ttl": "1h"}},
                {"text": "And now?"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        (OLD_CLAUDE, {"n": 2}, "n"),
        (OLD_CLAUDE, {"logprobs": True}, "logprobs"),
        (OLD_CLAUDE, {"service_tier": "scale"}, "service_tier"),
        (LLAMA, {"response_format": FORM}, "response_format"),
        (LLAMA, {"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        (SMALL_LLAMA, {"tools": [TOOL]}, "tools"),
        (OLD_CLAUDE, {"tools": [TOOL], "response_format": FORM}, "response_format"),
        (OLD_CLAUDE, {"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools"),
        (
            OLD_CLAUDE,
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b"}}]}]},
            "messages[].content[].image_url.url",
        ),
        (
            OLD_CLAUDE,
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
            "messages[].content[].file.file_id",
        ),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    tmp_path: Path, model: str, fields: dict[str, Any], param: str
) -> None:
    async with bedrock(tmp_path) as (served, server):
        answer = await chat(served, model, **fields)
        assert (answer.status, answer.error["param"]) == (400, param), answer.body
        assert posts(server) == []


async def test_what_has_no_effect_is_named(tmp_path: Path) -> None:
    async with bedrock(tmp_path) as (served, _):
        said = warnings(await chat(served, OLD_CLAUDE, seed=1, presence_penalty=1, reasoning_effort="low"))
        assert all(name in said for name in ("`seed`", "`presence_penalty`", "`reasoning_effort`"))
        assert "sent as the user's" in warnings(
            await chat(served, TITAN_TEXT, messages=[{"role": "system", "content": "Be brief."}, *HI])
        )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("form", [FORM, {"type": "json_object"}])
async def test_a_form_that_bedrock_cannot_be_told_is_a_tool_that_is_called(
    tmp_path: Path, stream: bool, form: dict[str, Any]
) -> None:
    async with bedrock(tmp_path) as (served, server):
        answer = await chat(served, OLD_CLAUDE, response_format=form, stream=stream)
        assert "`response_format`" in warnings(answer)
        assert sent(server)["toolConfig"]["toolChoice"] == {"tool": {"name": "json_answer"}}
        if stream:
            choices = [choice for event in answer.events() for choice in event["choices"]]
            assert choices[-1]["finish_reason"] == "stop"
            assert not any(choice["delta"].get("tool_calls") for choice in choices)
        else:
            (choice,) = answer.json()["choices"]
            assert (choice["finish_reason"], choice["message"]["content"]) == ("stop", "{}")


async def test_effort_goes_where_the_model_has_it(tmp_path: Path) -> None:
    async with bedrock(tmp_path, protocol="converse") as (served, server):
        assert (await chat(served, GPT, reasoning_effort="low")).status == 200
        assert sent(server)["additionalModelRequestFields"] == {"reasoning_effort": "low"}
        assert (await chat(served, NEWER_CLAUDE, reasoning_effort="minimal", response_format=FORM)).status == 200
        assert sent(server)["outputConfig"]["effort"] == "low"
        assert sent(server)["outputConfig"]["textFormat"]["type"] == "json_schema"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_signed_thought_comes_back_with_its_call(tmp_path: Path, stream: bool) -> None:
    fields = {"tools": [TOOL], "thinking": {"type": "enabled", "budget_tokens": 1024}}
    async with bedrock(tmp_path) as (served, server):
        answer = await chat(served, f"eu.{CLAUDE}", stream=stream, **fields)
        assert answer.status == 200, answer.body
        if stream:
            deltas = [choice["delta"] for event in answer.events() for choice in event["choices"]]
            thought = "".join(delta.get("reasoning_content") or "" for delta in deltas)
            pieces = [call for delta in deltas for call in delta.get("tool_calls") or ()]
            arguments = "".join(piece["function"]["arguments"] for piece in pieces)
            call = {name: value for name, value in pieces[0].items() if name != "index"}
            call["function"] = {**call["function"], "arguments": arguments}
        else:
            message = answer.json()["choices"][0]["message"]
            thought, (call,) = message["reasoning_content"], message["tool_calls"]
        assert thought and call["function"] == {"name": "add", "arguments": "{}"}
        turns = [
            *HI,
            {"role": "assistant", "content": None, "reasoning_content": thought, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "3"},
        ]
        assert (await chat(served, f"eu.{CLAUDE}", messages=turns, **fields)).status == 200
        (first, *_) = sent(server)["messages"][1]["content"]
    assert first == {"reasoningContent": {"reasoningText": {"text": thought, "signature": SIGNATURE}}}


async def test_calls_of_before_are_told_as_text_where_there_are_no_tools(tmp_path: Path) -> None:
    call = {"id": "a/1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    turns = [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a/1", "content": "3"},
    ]
    async with bedrock(tmp_path) as (served, server):
        assert (await chat(served, OLD_CLAUDE, messages=turns)).status == 200
        assert "toolConfig" not in sent(server) and "[called add with {}]" in str(sent(server))
        assert (await chat(served, OLD_CLAUDE, messages=turns, tools=[TOOL])).status == 200
        assert sent(server)["messages"][2]["content"][0]["toolResult"]["toolUseId"] == "a_1"
        call["function"]["arguments"] = "[1"  # type: ignore[index]
        answer = await chat(served, OLD_CLAUDE, messages=turns, tools=[TOOL])
        assert (answer.status, answer.error["param"]) == (400, "messages[1].tool_calls[0].function.arguments")


async def test_a_model_that_streams_no_tools_is_asked_for_the_whole_answer(tmp_path: Path) -> None:
    async with bedrock(tmp_path) as (served, server):
        for model, paths in (
            (f"eu.{LLAMA}", ["converse", "converse"]),
            (UNKNOWN, ["converse-stream", "converse", "converse"]),
        ):
            server.streams_tools = False
            begun = len(posts(server))
            for _ in range(2):  # what is not known of a model is learnt once
                events = (await chat(served, model, tools=[TOOL], stream=True)).events()
                assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"
            assert [seen.path.rpartition("/")[2] for seen in posts(server)[begun:]] == paths
            assert (await chat(served, model, stream=True)).events()
            assert posts(server)[-1].path.endswith("/converse-stream")


async def test_a_refusal_with_a_caller_s_words_about_streams_is_not_held_against_the_model(tmp_path: Path) -> None:
    async with bedrock(tmp_path) as (served, server):
        server.refusal = "Malformed input request: `stream` is no stop sequence"
        assert (await chat(served, CLAUDE, stream=True)).status == 400
        server.refusal = None
        assert (await chat(served, CLAUDE, stream=True)).events()
        assert posts(server)[-1].path.endswith("/converse-stream")


THROTTLED = event_message("throttlingException", {"message": "Too many requests"}, kind="exception")
START = event_message("messageStart", {"role": "assistant"})
WORD = event_message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "red "}})


@pytest.mark.parametrize(
    ("broken", "status", "words"),
    [
        ([THROTTLED], 429, "Too many requests"),
        ([event_message("validationException", {"message": "Input is too long"}, kind="exception")], 400, "too long"),
        ([event_message("modelStreamErrorException", {"message": "It broke"}, kind="exception")], 502, "It broke"),
        ([], 502, "broke off its answer"),
        ([b"<html>not a stream at all</html>"], 502, "wrong checksum"),
        ([event_message("messageStop", {})], 502, "makes no sense"),
    ],
)
async def test_a_stream_that_fails_at_its_beginning_is_an_error(
    tmp_path: Path, broken: list[bytes], status: int, words: str
) -> None:
    async with bedrock(tmp_path, network={"retries": {"times": 0}}) as (served, server):
        server.broken = broken
        answer = await chat(served, OLD_CLAUDE, stream=True)
        assert answer.status == status and words in answer.error["message"], answer.body


@pytest.mark.parametrize(
    ("end", "words"),
    [([THROTTLED], "Too many requests"), ([], "broke off its answer"), ([WORD[:-1] + b"?"], "wrong checksum")],
)
async def test_a_stream_that_fails_later_says_so_in_itself(tmp_path: Path, end: list[bytes], words: str) -> None:
    async with bedrock(tmp_path) as (served, server):
        server.broken = [START, WORD, *end]
        answer = await chat(served, OLD_CLAUDE, stream=True)
        assert answer.status == 200 and b'"red "' in answer.body
        assert words.encode() in answer.body


@pytest.mark.parametrize("model", EMBEDDERS)
async def test_every_family_of_embeddings_has_its_own_form(tmp_path: Path, model: str) -> None:
    texts = [f"text {number}" for number in range(100 if "cohere" in model else 3)]
    async with bedrock(tmp_path) as (served, server):
        body = {"model": f"bedrock/{model}", "input": texts}
        answer = await served.client.post("/v1/embeddings", body)
        said = warnings(answer)
        assert len(answer.json()["data"]) == len(texts)
        assert len(posts(server)) == (2 if "cohere" in model else 3)
        counts = answer.json()["usage"]["prompt_tokens"]
        assert (counts == 0 and "did not count" in said) if "nova" in model else counts == 2 * len(texts)
        sized = await served.client.post("/v1/embeddings", {**body, "input": "a cat", "dimensions": 256})
        if model.endswith(("v2:0", "image-v1", "v4:0")) or "nova" in model:
            assert sized.status == 200 and b"256" in posts(server)[-1].raw
        else:
            assert (sized.status, sized.error["param"]) == (400, "dimensions")
        ids = await served.client.post("/v1/embeddings", {**body, "input": [1, 2]})
        assert (ids.status, ids.error["param"]) == (400, "input")


@pytest.mark.parametrize("model", RERANKERS)
@pytest.mark.parametrize("has_key", [False, True])
async def test_a_key_reranks_by_the_model_and_a_signature_by_bedrock_s_agents(
    tmp_path: Path, model: str, has_key: bool
) -> None:
    async with bedrock(tmp_path, **({"api_key": KEY} if has_key else {})) as (served, server):
        body = {"model": f"bedrock/{model}", "query": "cat", "documents": ["a dog", "a cat"], "top_n": 1}
        answer = await served.client.post("/v1/rerank", body)
        assert [result["index"] for result in answer.json()["results"]] == [1], answer.body
        assert server.seen[-1].path == (f"/model/{model}/invoke" if has_key else "/rerank")


async def test_a_secret_is_never_in_a_message(tmp_path: Path) -> None:
    wrong = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": f"{SECRET}-but-wrong"}
    async with bedrock(tmp_path, allowed_models=[OLD_CLAUDE], **wrong) as (served, _):
        answer = await chat(served, OLD_CLAUDE, stream=True)
        assert answer.status == 502 and SECRET not in answer.error["message"]


async def test_no_caller_reads_this_server_s_buckets(tmp_path: Path) -> None:
    """Also not by a block of Bedrock's own."""
    own = {
        "type": "document",
        "document": {"name": "a", "format": "pdf", "source": {"s3Location": {"uri": "s3://b/a"}}},
    }
    async with bedrock(tmp_path, readable_addresses=["s3://bucket/"]) as (served, _):
        for part in ({"type": "file", "file": {"file_data": "s3://b/a.pdf"}}, own):
            body = {"model": f"eu.{CLAUDE}", "messages": [{"role": "user", "content": [part]}]}
            refused = await served.client.post("/v1/chat/completions", body)
            assert (refused.status, "with the credentials of this server" in refused.error["message"]) == (403, True)
