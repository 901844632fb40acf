"""Gemini's answers in OpenAI's form, whole and streamed. https://ai.google.dev/api/generate-content"""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import UpstreamError
from runtime.providers.inference._gemini import streams
from runtime.providers.inference._gemini.answers import completion_of
from runtime.providers.inference._gemini.grounding import annotations_in
from runtime.providers.inference._gemini.streams import Chunks, Finished
from runtime.sse import Frames

PARTS: list[dict[str, Any]] = [
    {"text": "hm", "thought": True},
    {"text": "It is "},
    {"text": "sunny.", "thoughtSignature": "abc"},
]
CALLS = [
    {"functionCall": {"id": "c1", "name": "add", "args": {"a": 1}}, "thoughtSignature": "abc"},
    {"functionCall": {"name": "mul"}},
]


def answer(*parts: dict[str, Any], reason: str = "STOP", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [*parts]}, "finishReason": reason, **more}
    return {"candidates": [candidate], "modelVersion": "gemini-3", "responseId": "r1"}


def choice_of(given: dict[str, Any]) -> dict[str, Any]:
    completion = completion_of(given, "m", "google")
    assert (completion["id"], completion["model"], completion["object"]) == ("chatcmpl-r1", "m", "chat.completion")
    (choice,) = completion["choices"]
    return dict(choice)


async def chunks_of(*events: dict[str, Any], wants_usage: bool = False) -> list[Any]:
    stage = Chunks("m", "google", wants_usage=wants_usage)
    found: list[Any] = []
    for event in events:
        frames = await stage.read(Frames.of(event))
        found += frames.events() if frames else []
    last = await stage.ended("complete", None)
    return found + (last.events() if last else [])


def test_text_thought_and_signature() -> None:
    choice = choice_of(answer(*PARTS))
    assert choice["message"] == {
        "role": "assistant", "content": "It is sunny.", "refusal": None, "reasoning_content": "hm",
        "extra_content": {"google": {"thought_signature": "abc"}},
    }  # fmt: skip
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)


def test_calls_with_their_signatures() -> None:
    choice = choice_of(answer(*CALLS))
    first, second = choice["message"]["tool_calls"]
    assert first == {
        "id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'},
        "extra_content": {"google": {"thought_signature": "abc"}},
    }  # fmt: skip
    assert second["id"].startswith("call_") and second["function"] == {"name": "mul", "arguments": "{}"}
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "tool_calls")


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter"),
        ("OTHER", "other"), ("LANGUAGE", "language"),
    ],
)  # fmt: skip
async def test_ends(reason: str, end: str) -> None:
    given = answer({"text": "a"}, reason=reason)
    assert choice_of(given)["finish_reason"] == end
    assert [chunk["choices"][0]["finish_reason"] for chunk in await chunks_of(given)] == [end]


async def test_an_answer_that_the_model_has_spoilt_is_the_vendor_s_failure() -> None:
    given = answer(reason="MALFORMED_FUNCTION_CALL", finishMessage="Malformed function call: add(")
    with pytest.raises(UpstreamError, match=r"MALFORMED_FUNCTION_CALL: Malformed function call: add\(") as raised:
        choice_of(given)
    assert raised.value.code == "malformed_function_call"
    with pytest.raises(UpstreamError, match="MALFORMED"):
        await chunks_of(given)


async def test_a_prompt_that_is_blocked_is_a_refusal() -> None:
    given = {"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r1", "usageMetadata": {"promptTokenCount": 3}}
    choice = choice_of(given)
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", None)
    assert choice["message"]["refusal"] == "The prompt was blocked: SAFETY"
    (chunk, usage) = await chunks_of(given, wants_usage=True)
    assert chunk["choices"][0]["delta"]["refusal"] == "The prompt was blocked: SAFETY"
    assert usage["usage"]["prompt_tokens"] == 3


def test_token_counts() -> None:
    counts = {
        "promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 5, "thoughtsTokenCount": 7,
        "toolUsePromptTokenCount": 2, "totalTokenCount": 24,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}, {"modality": "AUDIO", "tokenCount": 2}],
    }  # fmt: skip
    assert completion_of({**answer(*PARTS), "usageMetadata": counts}, "m", "google")["usage"] == {
        "prompt_tokens": 12, "completion_tokens": 12, "total_tokens": 24,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 7},
    }  # fmt: skip


def test_log_probabilities() -> None:
    token = {"token": "é", "tokenId": 5, "logProbability": -0.5}
    other = {"token": "e", "tokenId": 6, "logProbability": -1}
    given = {"chosenCandidates": [token], "topCandidates": [{"candidates": [token, other]}]}
    ours = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    choice = choice_of(answer({"text": "é"}, logprobsResult=given))
    likely = [ours, {"token": "e", "logprob": -1, "bytes": [101]}]
    assert choice["logprobs"] == {"content": [{**ours, "top_logprobs": likely}], "refusal": None}


def test_pages_that_it_cites_are_counted_in_characters() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example/", "title": "A"}}, {"retrievedContext": {}}],
        "groundingSupports": [
            {"segment": {"startIndex": 3, "endIndex": 9}, "groundingChunkIndices": [0, 1]},
            {"segment": {"endIndex": 2}, "groundingChunkIndices": [0]},
        ],
    }
    choice = choice_of(answer({"text": "Ü: schön"}, groundingMetadata=grounding))
    page = {"url": "https://a.example/", "title": "A"}
    assert [one["url_citation"] for one in choice["message"]["annotations"]] == [
        {"start_index": 2, "end_index": 7, **page},
        {"start_index": 0, "end_index": 1, **page},
    ]


def test_images_and_code_that_was_run_are_in_the_message() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}
    message = choice_of(answer(code, result, {"text": "one"}, image))["message"]
    assert message["content"] == "\n```python\nprint(1)\n```\n\n```\n1\n```\none"
    assert message["images"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]


async def test_a_stream_has_its_role_once_its_calls_counted_and_its_counts_last() -> None:
    def event(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"candidates": [{"content": {"parts": [*parts]}, **more}], "usageMetadata": {"promptTokenCount": 1}}

    last = {**event(finishReason="STOP"), "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}}
    chunks = await chunks_of(event(PARTS[0]), event(PARTS[1]), event(CALLS[0]), event(CALLS[1]), last, wants_usage=True)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert deltas[0] == {"reasoning_content": "hm", "role": "assistant"}
    assert deltas[1] == {"content": "It is "}
    assert [delta["tool_calls"][0]["index"] for delta in deltas[2:4]] == [0, 1]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * 4 + ["tool_calls"]
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["total_tokens"] == 3
    assert len({chunk["id"] for chunk in chunks}) == 1


@pytest.mark.parametrize("given", [{}, {"candidates": 5}, {"candidates": [{"content": {"parts": [5]}}]}])
def test_an_answer_that_makes_no_sense_is_the_vendor_s_failure(given: dict[str, Any]) -> None:
    with pytest.raises(UpstreamError, match="makes no sense"):
        completion_of(given, "m", "google")


@pytest.mark.parametrize(
    ("data", "is_complete"),
    [
        (b'data: {"candidates":[{"content":{}}]}\n\n', False),
        (b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n', True),
        (b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\n\n', True),
    ],
)
def test_a_stream_is_complete_with_its_finish_reason(data: bytes, is_complete: bool) -> None:
    ending = Finished()
    ending.see(data)
    assert ending.is_complete is is_complete


def test_an_argument_of_a_call_that_is_called_so_is_no_end() -> None:
    call = {"functionCall": {"name": "close", "args": {"finishReason": "done", "blockReason": "none"}}}
    ending = Finished()
    ending.see(Frames.of({"candidates": [{"content": {"parts": [call]}}]}).data)
    assert not ending.is_complete
    ending.see(Frames.of(answer(call)).data)
    assert ending.is_complete


async def test_the_text_so_far_is_put_together_only_where_pages_are_cited(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def cited(candidate: dict[str, Any], text: str) -> list[dict[str, Any]]:
        read.append(text)
        return annotations_in(candidate, text)

    monkeypatch.setattr(streams, "annotations_in", cited)
    pieces = [{"candidates": [{"content": {"parts": [{"text": word}]}}]} for word in ("a ", "b ", "c ")]
    metadata = {
        "groundingChunks": [{"web": {"uri": "https://a.example/", "title": "A"}}],
        "groundingSupports": [{"segment": {"startIndex": 2, "endIndex": 3}, "groundingChunkIndices": [0]}],
    }
    found = await chunks_of(*pieces, answer({"text": "."}, groundingMetadata=metadata))
    assert read == ["a b c ."]
    [cite] = found[-1]["choices"][0]["delta"]["annotations"]
    assert (cite["url_citation"]["start_index"], cite["url_citation"]["end_index"]) == (2, 3)
