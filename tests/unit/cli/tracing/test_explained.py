"""A request in words, of which nothing is said that its spans do not state."""

from __future__ import annotations

from typing import Any

from llama_cli.tracing.explained import explanation
from tests.support.schemas import conform
from tests.unit.cli.tracing._spans import attempt, call, request, span

AT = "at 2026-11-26 "


def told(*spans: dict[str, Any]) -> list[str]:
    found = explanation(spans)
    conform(found, "stack-explain")
    return list(found["text"])


def test_an_answer_after_a_retry() -> None:
    begin, chat = told(
        request(took_ms=1000),
        call(
            took_ms=980, temperature=0.2, stream=True, first_s=0.48, input_tokens=1200, cached=1000, output_tokens=51,
            reasoning=40, finish=["stop"], answered="small-2026",
        ),
        attempt("a", took_ms=12, status=429, error="429"),
        attempt("b", at_ms=300, took_ms=480, status=200),
    )  # fmt: skip
    assert begin.startswith(f"`POST /v1/chat/completions` was answered with status 200 after 1.00 s, {AT}")
    assert begin.endswith(" the server itself took 0.5 ms and waited 90.0 ms for whoever computes it.")
    assert chat == (
        "Provider `vendor` (remote::openai) answered `inference.chat_completion` with its model `small` in 980 ms. "
        "The answer names the model `small-2026`. It was asked with temperature 0.2, stream. "
        "2 requests went to `api.example`: status 429 after 12.0 ms, then status 200 after 480 ms. "
        "The first piece of its stream came after 480 ms, the rest with 100.0 tokens/s. "
        "1,200 tokens in (1,000 cached), 51 out (40 reasoning), ended with `stop`."
    )


def test_a_provider_that_fails_and_one_that_answers_in_its_place() -> None:
    [_, first, second] = told(
        request(),
        call("one", error="`vendor` does not answer"),
        attempt("a", "one", took_ms=5, error="ConnectError"),
        call("two", provider_id="other"),
    )
    assert first.endswith(
        "with its model `small` and failed after 100 ms: `vendor` does not answer. "
        "1 request went to `api.example`: failed (ConnectError) after 5.0 ms."
    )
    assert second.startswith("Provider `other` (remote::openai) answered")


def test_what_is_not_stated_is_not_said() -> None:
    [begin] = told(span("root", name="GET", request_id="req_1"))
    assert begin.startswith(f"`GET` ended after 100 ms, {AT}") and begin.count(".") == 1
    [_, chat] = told(request(), call(answered="small"))
    assert chat.endswith("with its model `small` in 100 ms.")


def test_attempts_belong_to_the_call_that_they_lie_below() -> None:
    found = explanation([
        request(),
        call("outer", api="responses", operation="create_response"),
        attempt("a", "outer"),
        call("inner", "outer"),
        attempt("b", "inner"),
        span("between", "inner", name="parse"),
        attempt("c", "between"),
        attempt("d", "outer"),
        attempt("e", "root"),
    ])  # fmt: skip
    assert [len(one["attempts"]) for one in found["calls"]] == [2, 2]
    assert len(found["attempts"]) == 1
    assert found["text"][-1] == "Outside of these, 1 request went to `api.example`: over after 100 ms."


def test_a_request_that_goes_on_is_no_request_that_was_answered() -> None:
    found = explanation([call(parent="gone")])
    assert (found["request_id"], found["status"], found["missing"]) == (None, None, 1)
    assert found["text"][0] == "The request itself is not kept: it goes on still, or its span was dropped."
    assert found["text"][-1] == "1 span that others belong to is not kept."


def test_a_model_is_told_by_all_of_its_names() -> None:
    [_, alias] = told(request(), call(asked_for="short", resource_id="vendor/small"))
    assert "with its model `small`, asked for as `short`, which is `vendor/small`, in 100 ms." in alias
    [_, usual] = told(request(), call(asked_for="vendor/small", resource_id="vendor/small"))
    assert "with its model `small`, asked for as `vendor/small`, in 100 ms." in usual
    [_, other] = told(request(), call(api="responses", operation="create_response", asked_for=None, model="short"))
    assert "answered `responses.create_response` for the model `short` in 100 ms." in other


def test_tools_and_what_an_api_says_of_its_own() -> None:
    search = {"api": "vector_io", "operation": "query_chunks", "model": None, "asked_for": "docs"}
    [_, tool, found, shield] = told(
        request(),
        span("tool", "root", name="execute_tool look", tool="look", gen_ai="execute_tool", error="no such page"),
        call("search", "tool", **search, chunks=1200, mode="vector"),
        call("shield", api="safety", operation="run_shield", model=None, flagged=False),
    )
    assert tool == "The tool `look` was called, and took 100 ms. It failed: no such page."
    assert found.endswith("answered `vector_io.query_chunks` in 100 ms. Chunks 1,200, retrieval mode vector.")
    assert shield.endswith("answered `safety.run_shield` in 100 ms. Shield flagged no.")


def test_the_steps_of_our_engine() -> None:
    [_, chat] = told(
        request(),
        call(),
        span("q", "chat", name="queue", took_ms=2),
        span("p", "chat", name="prefill", at_ms=2, took_ms=30),
        span("d", "chat", name="decode", at_ms=32, took_ms=60),
    )
    assert chat.endswith("Of that, waiting for the engine took 2.0 ms, the prompt 30.0 ms, the answer 60.0 ms.")


def test_a_refusal_and_what_was_changed() -> None:
    refused = request(status=404, code="model_not_found", refused="Model `x` is not served", hint="did you mean `y`?")
    found = explanation([refused])
    conform(found, "stack-explain")
    assert "was answered with status 404" in found["text"][0]
    assert " It was refused: Model `x` is not served. " in found["text"][0]
    assert found["error"] == {
        "code": "model_not_found", "message": "Model `x` is not served", "hint": "did you mean `y`?"
    }  # fmt: skip
    begin, chat = told(
        request(warnings=["`seed` has no effect"], chosen=["shield `a`: the usual one"]),
        call(changed=["`store` was left out", "`n` was sent as `m`"]),
    )
    assert begin.endswith(" Chosen here: shield `a`: the usual one. Its answer warns: `seed` has no effect.")
    assert chat.endswith(" Changed on the way: `store` was left out; `n` was sent as `m`.")
    [vendors, _] = told(request(status=429, code="rate_limit"), call(error="429: slow down"))
    assert " It was refused: rate_limit." in vendors
