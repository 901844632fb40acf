"""What the official OpenAI client gets: answers, streams, usage, embeddings, and its own exceptions for our errors."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.support.stack_home import Stack

pytestmark = pytest.mark.e2e

HELLO = [{"role": "user", "content": "Hello"}]


def test_models_are_listed_and_retrieved(openai: OpenAI, text_model: str) -> None:
    listed = {model.id: model for model in openai.models.list()}
    retrieved = openai.models.retrieve(text_model)
    assert retrieved == listed[text_model]
    assert retrieved.object == "model" and retrieved.owned_by and retrieved.created > 1_700_000_000


def test_a_chat_answers_with_usage(openai: OpenAI, text_model: str) -> None:
    answer = openai.chat.completions.create(model=text_model, messages=HELLO, max_tokens=8, temperature=0)
    assert answer.model == text_model and answer.object == "chat.completion"
    [choice] = answer.choices
    assert choice.message.role == "assistant" and choice.message.content
    assert choice.finish_reason in ("length", "stop")
    assert answer.usage is not None and 0 < answer.usage.completion_tokens <= 8
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_is_the_whole_answer_in_parts_with_usage_at_its_end(openai: OpenAI, text_model: str) -> None:
    whole = openai.chat.completions.create(model=text_model, messages=HELLO, max_tokens=8, temperature=0, seed=1)
    stream = openai.chat.completions.create(
        model=text_model, messages=HELLO, max_tokens=8, temperature=0, seed=1, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    said = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(said) == whole.choices[0].message.content
    assert sum(bool(part) for part in said) > 1
    assert {chunk.model for chunk in chunks} == {text_model} and len({chunk.id for chunk in chunks}) == 1
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert ends == [whole.choices[0].finish_reason]
    assert not chunks[-1].choices and chunks[-1].usage == whole.usage
    assert not any(chunk.usage for chunk in chunks[:-1])


def test_a_stream_has_no_usage_unless_asked(openai: OpenAI, text_model: str) -> None:
    stream = openai.chat.completions.create(model=text_model, messages=HELLO, max_tokens=2, stream=True)
    assert not any(chunk.usage for chunk in stream)


def test_a_stream_that_is_left_does_not_hurt_the_next_request(openai: OpenAI, text_model: str) -> None:
    stream = openai.chat.completions.create(model=text_model, messages=HELLO, max_tokens=400, stream=True)
    assert next(iter(stream)).choices
    stream.close()
    assert openai.chat.completions.create(model=text_model, messages=HELLO, max_tokens=2).choices


def test_several_choices_and_log_probabilities(openai: OpenAI, text_model: str) -> None:
    answer = openai.chat.completions.create(
        model=text_model, messages=HELLO, max_tokens=3, n=2, temperature=0, logprobs=True, top_logprobs=2
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    for choice in answer.choices:
        assert choice.logprobs is not None and choice.logprobs.content
        for token in choice.logprobs.content:
            assert token.logprob <= 0 and len(token.top_logprobs) == 2
            # Greedy: what was chosen is the likeliest.
            assert token.logprob == pytest.approx(token.top_logprobs[0].logprob, abs=1e-4)


def test_a_stop_string_ends_the_answer_before_it(openai: OpenAI, text_model: str) -> None:
    count = [{"role": "user", "content": "Repeat exactly: alpha beta gamma"}]
    free = openai.chat.completions.create(model=text_model, messages=count, max_tokens=12, temperature=0)
    words = (free.choices[0].message.content or "").split()
    stop = words[1]
    cut = openai.chat.completions.create(model=text_model, messages=count, max_tokens=12, temperature=0, stop=[stop])
    assert cut.choices[0].finish_reason == "stop"
    assert stop not in (cut.choices[0].message.content or "")
    assert (free.choices[0].message.content or "").startswith(cut.choices[0].message.content or "nothing")


def test_completions_go_on_with_a_text(openai: OpenAI, text_model: str) -> None:
    answer = openai.completions.create(model=text_model, prompt="The capital of France is", max_tokens=4, temperature=0)
    assert answer.object == "text_completion" and answer.choices[0].text
    assert answer.usage is not None and answer.usage.completion_tokens <= 4
    stream = openai.completions.create(
        model=text_model, prompt="The capital of France is", max_tokens=4, temperature=0, stream=True
    )
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices) == answer.choices[0].text


def test_embeddings_are_the_same_as_floats_and_as_base64(openai: OpenAI, embedding_model: str) -> None:
    texts = ["A cat sits on the mat.", "A kitten lies on the rug.", "Interest rates rose again."]
    # The client asks for base64 by itself and decodes it; `float` is passed on as it is.
    packed = openai.embeddings.create(model=embedding_model, input=texts)
    plain = openai.embeddings.create(model=embedding_model, input=texts, encoding_format="float")
    assert [row.index for row in plain.data] == [0, 1, 2] and plain.model == embedding_model
    vectors = np.array([row.embedding for row in plain.data])
    assert np.allclose(vectors, [row.embedding for row in packed.data], atol=1e-6)
    assert plain.usage.prompt_tokens == plain.usage.total_tokens > 0
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = unit @ unit.T
    assert likeness[0, 1] > likeness[0, 2] + 0.2


def test_one_text_is_embedded_as_it_is_in_a_list(openai: OpenAI, embedding_model: str) -> None:
    alone = openai.embeddings.create(model=embedding_model, input="hello", encoding_format="float").data[0].embedding
    listed = openai.embeddings.create(model=embedding_model, input=["other", "hello"], encoding_format="float").data[1]
    assert np.allclose(alone, listed.embedding, atol=1e-5)


def test_what_was_answered_can_be_read_later(openai: OpenAI, text_model: str) -> None:
    """Of a stack that keeps chat completions, as ours do unless they are told otherwise."""
    kept = openai.chat.completions
    made = kept.create(model=text_model, messages=HELLO, max_tokens=8, store=True, metadata={"kept-by": "a test"})
    chunks = list(kept.create(model=text_model, messages=HELLO, max_tokens=8, store=True, stream=True))
    whole, streamed = kept.retrieve(made.id), kept.retrieve(chunks[0].id)
    assert (whole.choices[0].message.content, whole.usage) == (made.choices[0].message.content, made.usage)
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert streamed.choices[0].message.content == said and streamed.choices[0].finish_reason
    assert made.id in [one.id for one in kept.list(metadata={"kept-by": "a test"}, model=text_model)]
    assert [message.content for message in kept.messages.list(made.id)] == ["Hello"]
    for one in (made, streamed):
        assert kept.delete(one.id).deleted
        with pytest.raises(NotFoundError, match=one.id):
            kept.retrieve(one.id)


def test_an_unknown_model_is_not_found_and_close_names_are_told(openai: OpenAI, text_model: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        openai.chat.completions.create(model=text_model[:-1] + "x", messages=HELLO)
    assert caught.value.code == "model_not_found" and caught.value.param == "model"
    assert f"`{text_model}`" in caught.value.message
    assert caught.value.request_id and caught.value.request_id.startswith("req_")
    with pytest.raises(NotFoundError, match="did you mean"):
        openai.models.retrieve(text_model[:-1] + "x")


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(openai: OpenAI, text_model: str) -> None:
    context = openai.models.retrieve(text_model).model_dump()["custom_metadata"].get("context_length")
    if context is None:
        pytest.skip("the context length of this stack's model is not known")
    with pytest.raises(BadRequestError) as caught:
        openai.chat.completions.create(
            model=text_model, messages=[{"role": "user", "content": "one two three " * context}]
        )
    assert caught.value.code == "context_length_exceeded"
    numbers = [int(number) for number in re.findall(r"\d+", caught.value.message)]
    assert context in numbers and any(number > context for number in numbers), caught.value.message


def test_a_streamed_request_that_fails_is_a_status_and_no_event(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError):
        openai.chat.completions.create(model="no-such-model", messages=HELLO, stream=True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 9}, "temperature"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(
    openai: OpenAI, text_model: str, fields: dict[str, object], param: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        openai.post("/chat/completions", cast_to=object, body={"model": text_model, "messages": HELLO, **fields})
    assert caught.value.param == param, caught.value.message


def test_chatting_with_an_embedding_model_is_refused_by_type(openai: OpenAI, embedding_model: str) -> None:
    with pytest.raises(BadRequestError, match="embedding"):
        openai.chat.completions.create(model=embedding_model, messages=HELLO)


def test_a_text_that_is_too_long_to_embed_is_not_cut_in_silence(openai: OpenAI, embedding_model: str) -> None:
    if not embedding_model.startswith("sentence-transformers/"):
        pytest.skip("what a remote provider does with a long text is its own")
    answer = openai.embeddings.with_raw_response.create(model=embedding_model, input=["short", "word " * 20_000])
    assert len(answer.parse().data) == 2
    assert "Text 1 has 20002 tokens" in answer.headers["x-llama-warnings"]
    silent = openai.embeddings.with_raw_response.create(model=embedding_model, input="short")
    assert "x-llama-warnings" not in silent.headers


def test_every_error_has_the_shape_and_the_request_id(stack: Stack) -> None:
    import httpx

    for method, path, body, status in [
        ("GET", "/v1/nothing", None, 404),
        ("PUT", "/v1/models", b"{}", 405),
        ("POST", "/v1/chat/completions", b"not json", 400),
        ("POST", "/v1/chat/completions", b"[]", 400),
        ("POST", "/v1/chat/completions", b"", 400),
        ("GET", "/v1/models/no-such-model", None, 404),
        ("DELETE", "/v1/models/no-such-model", None, 404),
    ]:
        answer = httpx.request(method, stack.url + path, content=body, headers={"x-request-id": "req_mine"})
        assert answer.status_code == status, (method, path, answer.text)
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}, (method, path)
        assert answer.json()["error"]["message"] and answer.headers["x-request-id"], (method, path)


def test_inspect_tells_health_version_and_routes(stack: Stack) -> None:
    for path in ("/v1/health", "/health"):
        assert stack.get(path)["status"] == "OK"
    assert stack.get("/v1/version")["version"]
    routes = {(row["method"], row["route"]) for row in stack.get("/v1/inspect/routes")["data"]}
    assert ("POST", "/v1/chat/completions") in routes
    assert json.dumps(stack.get("/v1/providers")).count('"provider_id"') > 0
