"""What every inference provider promises (`runtime/apis/inference`), over the HTTP door, on each that there is.

A subject is a running stack with one provider (`subject.py`); what it says it can do decides which tests it is held to.
Text is compared at temperature 0 only.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from typing import Any

import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.asgi import Answered
from runtime.conformance.inference.subject import Subject

pytestmark = pytest.mark.asyncio(loop_scope="module")


PROMPT = [{"role": "user", "content": "Name three colours."}]


async def chat(subject: Subject, **fields: Any) -> Answered:
    body = {"model": subject.chat, "messages": PROMPT, "temperature": 0, "max_tokens": 10, **fields}
    return await subject.client.post("/v1/chat/completions", body)


async def complete(subject: Subject, **fields: Any) -> Answered:
    body = {"model": subject.chat, "prompt": "Once upon a time", "temperature": 0, "max_tokens": 10, **fields}
    return await subject.client.post("/v1/completions", body)


def gathered(events: list[Any]) -> dict[int, tuple[str, str | None]]:
    """The text and finish reason of each choice of a streamed chat."""
    texts: dict[int, str] = {}
    finishes: dict[int, str | None] = {}
    for event in events:
        for choice in event["choices"]:
            index = choice["index"]
            assert finishes.get(index) is None, "a choice goes on after its finish reason"
            texts[index] = texts.get(index, "") + (choice["delta"].get("content") or "")
            finishes[index] = choice["finish_reason"]
    return {index: (texts[index], finishes[index]) for index in texts}


@needs("chat")
async def test_a_chat_has_openai_s_shape(subject: Subject) -> None:
    answer = (await chat(subject)).json()
    assert answer["object"] == "chat.completion"
    assert isinstance(answer["id"], str) and answer["id"]
    assert isinstance(answer["created"], int)
    (choice,) = answer["choices"]
    assert (choice["index"], choice["message"]["role"]) == (0, "assistant")
    assert isinstance(choice["message"]["content"], str)
    assert choice["finish_reason"] in ("stop", "length")


@needs("chat")
async def test_the_model_is_the_one_that_was_asked_for(subject: Subject) -> None:
    bare = subject.chat.split("/", 1)[1]
    for name in (subject.chat, bare):
        whole = await chat(subject, model=name)
        assert (whole.status, whole.json().get("model")) == (200, name), whole.body
        assert {event["model"] for event in (await chat(subject, model=name, stream=True)).events()} == {name}


@needs("chat")
async def test_streamed_is_the_same_as_not_streamed(subject: Subject) -> None:
    whole = (await chat(subject)).json()["choices"][0]
    events = (await chat(subject, stream=True)).events()
    assert gathered(events) == {0: (whole["message"]["content"], whole["finish_reason"])}
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert len({event["id"] for event in events}) == 1
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"


@needs("completions")
async def test_a_streamed_completion_is_the_same_as_not_streamed(subject: Subject) -> None:
    whole = (await complete(subject)).json()
    assert whole["object"] == "text_completion"
    events = (await complete(subject, stream=True)).events()
    assert "".join(choice["text"] for event in events for choice in event["choices"]) == whole["choices"][0]["text"]
    assert [choice["finish_reason"] for event in events for choice in event["choices"] if choice["finish_reason"]] == [
        whole["choices"][0]["finish_reason"]
    ]


@needs("chat")
async def test_usage_adds_up_and_is_the_same_streamed(subject: Subject) -> None:
    usage = (await chat(subject)).json()["usage"]
    assert usage["prompt_tokens"] > 0 and 0 < usage["completion_tokens"] <= 10
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    events = (await chat(subject, stream=True, stream_options={"include_usage": True})).events()
    (last,) = [event for event in events if event.get("usage")]
    assert last is events[-1] and last["choices"] == []
    assert {name: last["usage"][name] for name in ("prompt_tokens", "completion_tokens")} == {
        name: usage[name] for name in ("prompt_tokens", "completion_tokens")
    }


@needs("chat")
async def test_usage_is_not_streamed_unasked(subject: Subject) -> None:
    assert [event for event in (await chat(subject, stream=True)).events() if event.get("usage")] == []


@needs("chat")
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_on_tokens_is_kept_and_told(subject: Subject, limit: str) -> None:
    fields = {"max_tokens": None, limit: 3} if limit != "max_tokens" else {limit: 3}
    answer = (
        await chat(
            subject, **{name: value for name, value in fields.items() if value is not None or limit == "max_tokens"}
        )
    ).json()
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["choices"][0]["finish_reason"] == "length"


@needs("stop", "completions")
@pytest.mark.parametrize("as_list", [True, False])
async def test_a_stop_string_ends_the_answer_before_itself(subject: Subject, as_list: bool) -> None:
    text = (await complete(subject, max_tokens=12)).json()["choices"][0]["text"]
    # From the middle of the answer, so that something stands before it.
    stop = text[len(text) // 2 : len(text) // 2 + 3]
    assert stop
    expected = text[: text.index(stop)]
    stops: Any = [stop, "never to be found"] if as_list else stop
    choice = (await complete(subject, max_tokens=12, stop=stops)).json()["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (expected, "stop")
    events = (await complete(subject, max_tokens=12, stop=stops, stream=True)).events()
    assert "".join(choice["text"] for event in events for choice in event["choices"]) == expected


@needs("n")
async def test_n_answers_are_numbered(subject: Subject) -> None:
    answer = (await chat(subject, n=3, temperature=1, seed=1)).json()
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    streamed = gathered((await chat(subject, n=3, temperature=1, seed=1, stream=True)).events())
    assert streamed == {
        choice["index"]: (choice["message"]["content"], choice["finish_reason"]) for choice in answer["choices"]
    }
    assert len({choice["message"]["content"] for choice in answer["choices"]}) > 1


@needs("completions", "n")
async def test_several_prompts_are_answered_in_their_order(subject: Subject) -> None:
    prompts = ["Once upon a time", "The sky is"]
    together = (await complete(subject, prompt=prompts)).json()["choices"]
    alone = [(await complete(subject, prompt=prompt)).json()["choices"][0] for prompt in prompts]
    assert [(choice["index"], choice["text"]) for choice in together] == [(0, alone[0]["text"]), (1, alone[1]["text"])]


@needs("seed", "completions")
async def test_a_seed_repeats_and_another_does_not(subject: Subject) -> None:
    async def text(seed: int) -> str:
        answer = await complete(subject, temperature=1.5, seed=seed, max_tokens=12)
        found: str = answer.json()["choices"][0]["text"]
        return found

    first = await text(7)
    assert await text(7) == first
    assert any([await text(seed) != first for seed in (8, 9, 10)])


@needs("logprobs")
async def test_log_probabilities_of_a_chat(subject: Subject) -> None:
    choice = (await chat(subject, logprobs=True, top_logprobs=2, max_tokens=4)).json()["choices"][0]
    content = choice["logprobs"]["content"]
    assert content
    for token in content:
        assert token["logprob"] <= 0
        if "\ufffd" not in (text := bytes(token["bytes"]).decode("utf-8", "replace")):  # a part of a character is spelt
            assert token["token"] == text
        assert len(token["top_logprobs"]) == 2
        assert token["top_logprobs"][0]["logprob"] >= token["top_logprobs"][1]["logprob"]
    events = (await chat(subject, logprobs=True, top_logprobs=2, max_tokens=4, stream=True)).events()
    streamed = [
        token
        for event in events
        for one in event["choices"]
        for token in (one.get("logprobs") or {}).get("content") or ()
    ]
    assert [token["token"] for token in streamed] == [token["token"] for token in content]


@needs("chat")
async def test_no_log_probabilities_unasked(subject: Subject) -> None:
    assert (await chat(subject)).json()["choices"][0].get("logprobs") is None


@needs("passes_unknown_fields")
async def test_a_field_nobody_knows_travels_to_the_provider(subject: Subject) -> None:
    assert subject.seen is not None
    await chat(subject, vendor_thing={"a": [1, None, "é"]})
    seen = subject.seen()
    assert seen["vendor_thing"] == {"a": [1, None, "é"]}
    assert subject.chat.split("/", 1)[1] in seen.values()  # as `model`, or by the vendor's name for it
    assert "top_p" not in seen  # nothing is added either


@needs("warns_of_unknown_fields")
async def test_a_field_nobody_knows_is_named_in_a_warning(subject: Subject) -> None:
    for stream in (False, True):
        answer = await chat(subject, vendor_thing=1, user="me", store=False, stream=stream)
        assert answer.status == 200
        assert "ignored by this provider: vendor_thing" in answer.headers["x-llama-warnings"].split("; ")


@needs("closes")
async def test_leaving_a_stream_ends_the_call_at_the_provider(subject: Subject) -> None:
    assert subject.ended is not None
    body = {"model": subject.chat, "messages": PROMPT, "stream": True, "max_tokens": 200}
    if subject.hold is not None:
        subject.hold()
    else:
        body["ignore_eos"] = True
    call = subject.client.call("POST", "/v1/chat/completions", body=json.dumps(body).encode())
    assert (await call.start())[0] == 200
    assert await call.chunk()
    await call.leave()
    await subject.ended()
    if subject.release is not None:
        subject.release()


@needs("chat")
async def test_a_call_may_follow_a_stream_at_once(subject: Subject) -> None:
    """llama.cpp's server closes a connection after a stream on it, having said that it keeps it."""
    for _ in range(6):
        assert (await chat(subject, stream=True, max_tokens=2)).events()
        assert (await chat(subject, max_tokens=2)).status == 200


@needs("chat")
async def test_calls_at_once_do_not_mix(subject: Subject) -> None:
    prompts = ["Name three colours.", "Count to five.", "Say hello.", "Why is the sky blue?"]
    bodies = [[{"role": "user", "content": prompt}] for prompt in prompts]
    alone = [gathered((await chat(subject, messages=body, stream=True)).events()) for body in bodies]
    together = await asyncio.gather(*(chat(subject, messages=body, stream=True) for body in bodies))
    assert [gathered(answer.events()) for answer in together] == alone


@needs("limits")
async def test_a_prompt_beyond_the_context_is_a_400(subject: Subject) -> None:
    messages = [{"role": "user", "content": "word " * 40_000}]
    for stream in (False, True):
        answer = await chat(subject, messages=messages, stream=stream)
        assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")


@needs("chat", "lists")
async def test_an_unknown_model_is_a_404_with_names_like_it(subject: Subject) -> None:
    answer = await chat(subject, model=subject.chat[:-1])
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")
    assert f"`{subject.chat}`" in answer.error["message"]


@needs("chat")
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"messages": []}, "messages"),
        ({"n": 0}, "n"),
        ({"messages": [{"role": "boss"}]}, "messages[0].role"),
    ],
)
async def test_a_value_out_of_range_is_a_400_that_names_it(
    subject: Subject, fields: dict[str, Any], param: str
) -> None:
    answer = await chat(subject, **fields)
    assert (answer.status, answer.error["param"]) == (400, param)


@needs("chat")
async def test_an_older_path_answers_alike(subject: Subject) -> None:
    body = {"model": subject.chat, "messages": PROMPT, "temperature": 0, "max_tokens": 5}
    older = await subject.client.post("/v1/openai/v1/chat/completions", body)
    newer = await subject.client.post("/v1/chat/completions", body)
    assert older.json()["choices"] == newer.json()["choices"]


async def embed(subject: Subject, **fields: Any) -> Answered:
    return await subject.client.post("/v1/embeddings", {"model": subject.embedding, **fields})


@needs("embeddings")
async def test_embeddings_keep_their_order(subject: Subject) -> None:
    texts = ["a cat", "a dog", "the theory of numbers"]
    answer = (await embed(subject, input=texts)).json()
    assert (answer["object"], answer["model"]) == ("list", subject.embedding)
    assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]
    for text, entry in zip(texts, answer["data"], strict=True):
        alone = (await embed(subject, input=text)).json()["data"][0]["embedding"]
        assert alone == pytest.approx(entry["embedding"], abs=1e-5)
    assert answer["data"][0]["embedding"] != answer["data"][1]["embedding"]


@needs("embeddings", "embedding_usage")
async def test_tokens_of_embeddings_are_counted(subject: Subject) -> None:
    usage = (await embed(subject, input=["a cat", "a dog"])).json()["usage"]
    assert usage["prompt_tokens"] == usage["total_tokens"] > 0


@needs("embeddings")
async def test_base64_is_the_same_vector(subject: Subject) -> None:
    plain = (await embed(subject, input="a cat")).json()["data"][0]["embedding"]
    packed = (await embed(subject, input="a cat", encoding_format="base64")).json()["data"][0]["embedding"]
    data = base64.b64decode(packed)
    assert list(struct.unpack(f"<{len(data) // 4}f", data)) == pytest.approx(plain, abs=1e-6)


@needs("embeddings", "chat")
async def test_a_chat_with_an_embedding_model_is_a_400(subject: Subject) -> None:
    answer = await chat(subject, model=subject.embedding)
    assert (answer.status, answer.error["code"]) == (400, "model_type_mismatch")


DOCUMENTS = ["a red boat", "the sea is blue", "a blue boat on the sea", "numbers"]


async def rerank(subject: Subject, **fields: Any) -> Answered:
    body = {"model": subject.reranker, "query": "blue boat", "documents": DOCUMENTS, **fields}
    return await subject.client.post("/v1/rerank", body)


@needs("rerank")
async def test_documents_come_in_the_order_of_their_scores(subject: Subject) -> None:
    answer = (await rerank(subject)).json()
    assert answer["model"] == subject.reranker
    assert sorted(result["index"] for result in answer["results"]) == [0, 1, 2, 3]
    if not subject.is_random:
        assert answer["results"][0]["index"] == 2 and answer["results"][-1]["index"] == 3
    scores = [result["relevance_score"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert not any("document" in result for result in answer["results"])


@needs("rerank")
async def test_only_the_best_documents_are_returned_and_with_their_texts(subject: Subject) -> None:
    answer = (await rerank(subject, top_n=2, return_documents=True)).json()
    assert [result["document"]["text"] for result in answer["results"]] == [
        DOCUMENTS[result["index"]] for result in answer["results"]
    ]
    assert len(answer["results"]) == 2
    best = (await rerank(subject)).json()["results"][:2]
    assert [result["index"] for result in answer["results"]] == [result["index"] for result in best]


@needs("rerank")
async def test_documents_may_be_objects_with_a_text(subject: Subject) -> None:
    plain = (await rerank(subject)).json()["results"]
    objects = (await rerank(subject, documents=[{"text": text} for text in DOCUMENTS])).json()["results"]
    assert objects == plain
    answer = await rerank(subject, documents=["fine", {"title": "no text"}])
    assert (answer.status, answer.error["param"]) == (400, "documents[1]")


@needs("rerank")
async def test_llama_stack_s_form_has_the_same_scores(subject: Subject) -> None:
    own = (await rerank(subject, top_n=3)).json()["results"]
    items = [{"type": "text", "text": text} for text in DOCUMENTS]
    body = {"model": subject.reranker, "query": "blue boat", "items": items, "max_num_results": 3}
    answer = (await subject.client.post("/v1alpha/inference/rerank", body)).json()
    assert answer["data"] == own


@needs("rerank", "embeddings")
async def test_reranking_with_an_embedding_model_is_a_400(subject: Subject) -> None:
    answer = await rerank(subject, model=subject.embedding)
    assert (answer.status, answer.error["code"]) == (400, "model_type_mismatch")
