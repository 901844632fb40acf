"""What vendors say about a failure, in each of their shapes, and what our caller reads of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.upstream import Upstream
from runtime.errors import UpstreamRejected
from runtime.http.client import HttpClient
from runtime.http.vendor_errors import VendorError, vendor_error
from tests.support.calls import SECRET, answering, chat, failure

SHAPES: list[tuple[str, Any, VendorError]] = [
    (
        "openai",
        {"error": {"message": "m", "type": "invalid_request_error", "param": "n", "code": "bad"}},
        VendorError(message="m", type="invalid_request_error", param="n", code="bad"),
    ),
    (
        "azure",
        {
            "error": {
                "message": "filtered",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {}}},
            }
        },
        VendorError(
            message="filtered",
            param="prompt",
            code="content_filter",
            status=400,
            more={"innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {}}}},
        ),
    ),
    (
        "anthropic",
        {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}, "request_id": "req_1"},
        VendorError(message="busy", type="overloaded_error"),
    ),
    (
        "gemini",
        [{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT", "details": [{"reason": "KEY"}]}}],
        VendorError(message="no", code="INVALID_ARGUMENT", status=400, more={"details": [{"reason": "KEY"}]}),
    ),
    (
        "gemini, with a wait",
        {"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "45.8s"}]}},
        VendorError(
            message="m",
            code="RESOURCE_EXHAUSTED",
            status=429,
            wait_s=45.8,
            more={"details": [{"retryDelay": "45.8s"}]},
        ),
    ),
    (
        "an address for tokens of OAuth",
        {"error": "invalid_grant", "error_description": "Token has been revoked."},
        VendorError(message="Token has been revoked.", code="invalid_grant"),
    ),
    ("ollama", {"error": "model not found"}, VendorError(message="model not found")),
    (
        "vllm",
        {"error": {"message": "too long", "type": "BadRequestError", "param": None, "code": 400}},
        VendorError(message="too long", type="BadRequestError", status=400),
    ),
    (
        "llama.cpp",
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        VendorError(message="Loading model", type="unavailable_error", status=503),
    ),
    ("tgi", {"error": "m", "error_type": "validation"}, VendorError(message="m", type="validation")),
    (
        "text-embeddings-inference",
        {"message": "m", "code": 413, "error_type": "Validation"},
        VendorError(message="m", type="Validation", status=413),
    ),
    (
        "groq",
        {"error": {"message": "m", "type": "t", "code": "tool_use_failed", "failed_generation": "<f>"}},
        VendorError(message="m", type="t", code="tool_use_failed", more={"failed_generation": "<f>"}),
    ),
    (
        "cerebras",
        {"message": "m", "type": "too_many_requests_error", "param": "quota", "code": "request_quota_exceeded"},
        VendorError(message="m", type="too_many_requests_error", param="quota", code="request_quota_exceeded"),
    ),
    ("cerebras, in a stream", {"error": "m", "status_code": 429}, VendorError(message="m", status=429)),
    ("fireworks, at its gateway", {"fault": {"faultstring": "m"}}, VendorError(message="m")),
    (
        "apigee",
        {"fault": {"faultstring": "m", "detail": {"errorcode": "policies.ratelimit"}}},
        VendorError(message="m", code="policies.ratelimit"),
    ),
    ("databricks", {"error_code": "BAD_REQUEST", "message": "m"}, VendorError(message="m", code="BAD_REQUEST")),
    (
        "watsonx",
        {"errors": [{"code": "invalid_input", "message": "m", "more_info": "url"}], "trace": "t"},
        VendorError(message="m", code="invalid_input"),
    ),
    (
        "ibm-cloud",
        {"errorCode": "BXNIM0415E", "errorMessage": "m", "context": {"requestId": "r"}},
        VendorError(message="m", code="BXNIM0415E"),
    ),
    (
        "cloudflare",
        {"success": False, "errors": [{"code": 7003, "message": "m"}], "messages": [], "result": None},
        VendorError(message="m", code="7003"),
    ),
    ("oci", {"code": "LimitExceeded", "message": "m"}, VendorError(message="m", code="LimitExceeded")),
    ("aws", {"message": "m"}, VendorError(message="m")),
    (
        "aws, with its type",
        {"__type": "com.amazon.coral.validate#ValidationException", "Message": "m"},
        VendorError(message="m", type="ValidationException"),
    ),
    (
        "mistral",
        {"object": "error", "message": "m", "type": "invalid_model", "param": None, "code": "1500"},
        VendorError(message="m", type="invalid_model", code="1500"),
    ),
    (
        "mistral, a list of wrong fields",
        {
            "object": "error",
            "type": "invalid_request_error",
            "code": None,
            "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "user"], "msg": "Extra inputs"}]},
        },
        VendorError(message="user: Extra inputs", type="invalid_request_error", param="user"),
    ),
    (
        "fastapi",
        {
            "detail": [
                {"loc": ["body", "messages", 0, "role"], "msg": "no role", "type": "enum"},
                *({"loc": ["body", f"f{number}"], "msg": "bad", "type": "t"} for number in range(6)),
            ]
        },
        VendorError(
            message="messages.0.role: no role; f0: bad; f1: bad; f2: bad; f3: bad; and 2 more", param="messages.0.role"
        ),
    ),
    ("voyage, jina", {"detail": "m"}, VendorError(message="m")),
    ("a server behind fastapi", {"detail": {"error": {"message": "m"}}}, VendorError(message="m")),
    ("cohere", {"id": "1", "message": "m"}, VendorError(message="m")),
    (
        "openrouter",
        {"error": {"code": 402, "message": "m", "metadata": {"provider_name": "x"}}, "user_id": "u"},
        VendorError(message="m", status=402, more={"metadata": {"provider_name": "x"}}),
    ),
    (
        "openrouter, in a choice",
        {"choices": [{"index": 0, "error": {"code": 502, "message": "m"}, "finish_reason": "error"}]},
        VendorError(message="m", status=502),
    ),
    ("xai", {"code": "invalid-argument", "error": "m"}, VendorError(message="m", code="invalid-argument")),
    (
        "novita",
        {"error": "overloaded", "message": "m", "type": "t"},
        VendorError(message="m", type="t", code="overloaded"),
    ),
    ("zai", {"error": {"code": "1113", "message": "m"}}, VendorError(message="m", code="1113")),
    (
        "sglang",
        {"object": "error", "message": "m", "type": "BadRequestError", "param": None, "code": 400},
        VendorError(message="m", type="BadRequestError", status=400),
    ),
    ("a problem detail", {"type": "about:blank", "title": "m", "status": 404}, VendorError(message="m", status=404)),
    ("a text", "m", VendorError(message="m")),
    ("nothing", {}, VendorError()),
    ("null", None, VendorError()),
    ("numbers", [1, 2], VendorError()),
    ("a code of zero, and no words", {"error": {"code": 0, "message": ""}}, VendorError()),
]


@pytest.mark.parametrize(("body", "read"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_each_shape_is_read(body: Any, read: VendorError) -> None:
    assert vendor_error(json.dumps(body).encode()) == read


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b"\xff", b'{"a":' * 5000, b'{"error":' * 200 + b"1" + b"}" * 200]
)
def test_what_is_no_error_is_an_empty_one(body: bytes) -> None:
    assert vendor_error(body) == VendorError()


def test_members_that_are_very_long_or_deep_are_left_out() -> None:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    body = {"error": {"message": "m", "raw": "x" * 100_000, "deep": deep, "note": ["short"]}}
    assert vendor_error(json.dumps(body).encode()) == VendorError(message="m", more={"note": ["short"]})


async def test_what_a_vendor_adds_reaches_the_caller_without_the_key(upstream: Upstream, client: HttpClient) -> None:
    said = {"message": "m", "code": "c", "type": "t", "metadata": {"raw": [f"key {SECRET}"]}, "keys": {SECRET: "old"}}
    upstream.misbehaves = answering(lambda: web.json_response({"error": said}, status=400))
    error = await failure(client.reply(chat(upstream)))
    assert error.body() == {
        "error": {
            "message": "`acme` answered 400: m", "type": "t", "param": None, "code": "c",
            "metadata": {"raw": ["key ********"]}, "keys": {"********": "old"},
        }
    }  # fmt: skip


@pytest.mark.parametrize("status", [402, 404, 408, 409, 410, 413, 415, 422, 423, 425, 451])
async def test_a_refusal_keeps_its_status(upstream: Upstream, client: HttpClient, status: int) -> None:
    upstream.misbehaves = answering(lambda: web.json_response({"detail": "m"}, status=status))
    error = await failure(client.reply(chat(upstream)))
    assert isinstance(error, UpstreamRejected)
    assert (error.status, error.message) == (status, f"`acme` answered {status}: m")


@pytest.mark.parametrize(
    ("answered", "ours"), [(407, 502), (424, 502), (498, 503), (499, 502), (507, 502), (524, 504), (529, 503)]
)
async def test_a_status_of_a_vendor_s_own_becomes_the_usual_one(
    upstream: Upstream, client: HttpClient, answered: int, ours: int
) -> None:
    upstream.misbehaves = answering(
        lambda: web.json_response({"error": {"message": "m", "type": "t", "code": "c", "param": "p"}}, status=answered)
    )
    error = await failure(client.reply(chat(upstream)))
    assert (error.status, error.upstream_status) == (ours, answered)
    assert (error.type, error.code, error.param) == ("t", "c", "p")


async def test_the_type_of_an_aws_error_is_in_a_header(upstream: Upstream, client: HttpClient) -> None:
    upstream.misbehaves = answering(
        lambda: web.json_response(
            {"message": "m"}, status=400, headers={"x-amzn-ErrorType": "ValidationException:http://internal/"}
        )
    )
    assert (await failure(client.reply(chat(upstream)))).type == "ValidationException"


@pytest.mark.parametrize(("header", "wait"), [({}, "46"), ({"retry-after": "7"}, "7")])
async def test_a_wait_in_the_body_becomes_the_usual_header(
    upstream: Upstream, client: HttpClient, header: dict[str, str], wait: str
) -> None:
    said = [{"error": {"code": 429, "message": "m", "details": [{"@type": "x", "retryDelay": "45.8s"}]}}]
    upstream.misbehaves = answering(lambda: web.json_response(said, status=429, headers=header))
    assert (await failure(client.reply(chat(upstream)))).headers["retry-after"] == wait


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_in_a_choice_of_a_success_is_an_error(
    upstream: Upstream, client: HttpClient, stream: bool
) -> None:
    said = {"choices": [{"index": 0, "error": {"code": 429, "message": "m"}, "finish_reason": "error"}]}
    upstream.misbehaves = answering(lambda: web.json_response(said))
    assert (await failure(client.reply(chat(upstream, stream=stream)))).message == "`acme` answered 429: m"
