"""`remote::bedrock`: the documented request, what its answer means, and its failures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served
from tests.conformance.safety.subjects.bedrock import GUARDRAIL, bedrock, png
from tests.support.aws import HARMFUL, HARMLESS, KEY_ID, SECRET, AwsServer, applied, aws_server

ARN = "arn:aws:bedrock:eu-west-1:123456789012:guardrail/abc123"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[AwsServer]:
    async with aws_server() as running:
        yield running


async def run(served: Served, *messages: Any, **params: Any) -> Answered:
    said = [{"role": "user", "content": each} if isinstance(each, str) else each for each in messages]
    return await served.client.post(
        "/v1/safety/run-shield", {"shield_id": "s", "messages": said, "params": params or None}
    )


async def violation(served: Served, *messages: Any) -> Any:
    answer = await run(served, *messages)
    assert answer.status == 200, answer.body
    return answer.json()["violation"]


async def test_the_last_message_is_asked_about_by_who_said_it(server: AwsServer, tmp_path: Path) -> None:
    async with bedrock(server, tmp_path, params={"guardrailVersion": "3"}) as served:
        assert await violation(served, HARMFUL, {"role": "assistant", "content": "No."}) is None
        said = [
            {"type": "text", "text": HARMLESS},
            {"type": "image_url", "image_url": {"url": png(b"\x89PNG\r\n\x1a\n")}},
        ]
        assert await violation(served, {"role": "user", "content": said}) is None
    assert server.asked == [
        {
            "guardrail": GUARDRAIL, "version": "3", "source": "OUTPUT", "outputScope": "FULL",
            "content": [{"text": {"text": "No."}}],
        },
        {
            "guardrail": GUARDRAIL, "version": "3", "source": "INPUT", "outputScope": "FULL",
            "content": [
                {"text": {"text": HARMLESS}},
                {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
            ],
        },
    ]  # fmt: skip


async def test_what_a_filter_finds_is_a_category_of_openai(server: AwsServer, tmp_path: Path) -> None:
    async with bedrock(server, tmp_path) as served:
        assert await violation(served, HARMFUL) == {
            "violation_level": "error",
            "user_message": "The guardrail does not allow this.",
            "metadata": {
                "categories": ["violence"],
                "violation_type": "VIOLENCE",
                "findings": [{"policy": "contentPolicy", "type": "VIOLENCE", "action": "BLOCKED"}],
                "reason": "Guardrail blocked.",
            },
        }
        answer = await served.client.post("/v1/moderations", {"model": "s", "input": HARMFUL})
        [result] = answer.json()["results"]
    assert result["category_scores"]["violence"] == 0.9 and result["category_scores"]["hate"] == 0
    assert result["categories"]["prompt_attack"] is False
    assert result["category_applied_input_types"]["violence"] == ["text"]
    assert result["category_applied_input_types"]["self-harm"] == [], "Bedrock has no filter for it"


async def test_an_arn_is_one_part_of_the_address_and_is_signed_as_it_is_sent(server: AwsServer, tmp_path: Path) -> None:
    async with bedrock(server, tmp_path, guardrail=ARN) as served:
        assert await violation(served, HARMLESS) is None
    assert server.asked[0]["guardrail"] == ARN.replace(":", "%3A").replace("/", "%2F")
    assert server.asked[0]["version"] == "DRAFT"


BLOCKED = {"action": "BLOCKED", "detected": True}
POLICIES = [
    ({"topicPolicy": {"topics": [{"name": "My advice", "type": "DENY", **BLOCKED}]}}, "denied_topic", "My advice"),
    ({"wordPolicy": {"customWords": [{"match": "hush", **BLOCKED}]}}, "custom_word", "CUSTOM_WORD"),
    (
        {"wordPolicy": {"managedWordLists": [{"match": "hush", "type": "PROFANITY", **BLOCKED}]}},
        "profanity", "PROFANITY",
    ),
    (
        {"sensitiveInformationPolicy": {"piiEntities": [{"match": "hush", "type": "EMAIL", **BLOCKED}]}},
        "sensitive_information", "EMAIL",
    ),
    (
        {"sensitiveInformationPolicy": {"regexes": [{"match": "hush", "name": "badge", "regex": "hush+", **BLOCKED}]}},
        "sensitive_information", "badge",
    ),
    (
        {"contextualGroundingPolicy": {"filters": [{"type": "GROUNDING", "threshold": 0.8, "score": 0.25, **BLOCKED}]}},
        "not_grounding", "GROUNDING",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "category", "kind"), POLICIES)
async def test_each_policy_is_told_without_what_it_has_matched(
    policy: Any, category: str, kind: str, server: AwsServer, tmp_path: Path
) -> None:
    server.answers = [(200, applied("", 1, 0, action="GUARDRAIL_INTERVENED", assessments=[policy]), {})]
    async with bedrock(server, tmp_path) as served:
        answer = await run(served, "a message")
        result = (await served.client.post("/v1/moderations", {"model": "s", "input": "a"})).json()["results"][0]
    found = answer.json()["violation"]["metadata"]
    assert found["categories"] == [category] and found["violation_type"] == kind
    assert result["category_scores"][category] == (0.75 if category == "not_grounding" else 1.0)
    assert b"hush" not in answer.body, "of an answer, it is what the guardrail holds back"


async def test_what_is_masked_is_told_apart_from_what_is_blocked(server: AwsServer, tmp_path: Path) -> None:
    pii = [{"match": "a@b.example", "type": "EMAIL", "action": "ANONYMIZED", "detected": True}]
    server.answers = [
        (
            200,
            applied(
                "", 1, 0, action="GUARDRAIL_INTERVENED", outputs=[{"text": "Write to {EMAIL}"}],
                assessments=[{"sensitiveInformationPolicy": {"piiEntities": pii, "regexes": []}}],
            ),
            {},
        )
    ]  # fmt: skip
    async with bedrock(server, tmp_path) as served:
        found = await violation(served, "Write to a@b.example")
    assert found["violation_level"] == "error", "what it would leave out is not left out here"
    assert found["user_message"] == "This has what must not be passed on: EMAIL."
    assert found["metadata"]["masked"] == "Write to {EMAIL}"


async def test_a_filter_that_only_watches_flags_nothing(server: AwsServer, tmp_path: Path) -> None:
    watched = {"type": "HATE", "confidence": "MEDIUM", "filterStrength": "LOW", "action": "NONE", "detected": True}
    server.answers = [(200, applied("", 1, 0, assessments=[{"contentPolicy": {"filters": [watched]}}]), {})]
    async with bedrock(server, tmp_path) as served:
        result = (await served.client.post("/v1/moderations", {"model": "s", "input": "a"})).json()["results"][0]
    assert (result["flagged"], result["categories"]["hate"], result["category_scores"]["hate"]) == (False, False, 0.6)


async def test_nothing_is_harmless_that_it_has_not_looked_at(server: AwsServer, tmp_path: Path) -> None:
    coverage = {"textCharacters": {"guarded": 1, "total": 1}, "images": {"guarded": 0, "total": 1}}
    server.answers = [(200, applied("", 1, 1, guardrailCoverage=coverage), {}), (200, {"usage": {}}, {})]
    async with bedrock(server, tmp_path) as served:
        unseen, empty = await run(served, "a"), await run(served, "a")
    assert (unseen.status, empty.status) == (502, 502)
    assert "has looked at 0 of 1 images" in unseen.error["message"]
    assert "without an `action`" in empty.error["message"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{"type": "image_url", "image_url": {"url": "https://images.example/a.png"}}], "data:image/png"),
        ([{"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlhAQ=="}}], "image/gif"),
        ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}], "base64"),
        ([{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}], "`input_audio`"),
    ],
)
async def test_what_no_guardrail_looks_at_is_refused(
    content: Any, words: str, server: AwsServer, tmp_path: Path
) -> None:
    async with bedrock(server, tmp_path) as served:
        answer = await run(served, {"role": "user", "content": content})
    assert (answer.status, answer.error["param"]) == (400, "messages") and words in answer.error["message"]
    assert not server.asked


async def test_wrong_params_and_ids_are_refused_where_a_shield_is_registered(server: AwsServer, tmp_path: Path) -> None:
    async with bedrock(server, tmp_path) as served:
        shield = {"shield_id": "t", "provider_id": "bedrock", "provider_shield_id": GUARDRAIL}
        for params, words in (({"guardrailVersion": "v1"}, "guardrailVersion"), ({"version": "1"}, "`version`")):
            answer = await served.client.post("/v1/shields", {**shield, "params": params})
            assert answer.status == 400 and words in answer.error["message"], answer.body
        answer = await served.client.post("/v1/shields", {**shield, "provider_shield_id": "My Guardrail"})
        assert (answer.status, answer.error["param"]) == (400, "provider_shield_id")
        answer = await served.client.post("/v1/shields", {**shield, "params": {"guardrailVersion": 2}})
        assert answer.status == 200, answer.body


async def test_throttling_is_waited_for_and_then_told(server: AwsServer, tmp_path: Path) -> None:
    kind = {"x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/coral/"}
    throttled = 429, {"message": "Too many requests, please wait before trying again."}, kind
    server.answers = [throttled, (200, applied("", 1, 0), {})]
    async with bedrock(server, tmp_path / "once", network={"retries": {"times": 1}}) as served:
        assert await violation(served, "a") is None
    assert server.used == [KEY_ID, KEY_ID], "each is signed"
    server.answers = [throttled]
    async with bedrock(server, tmp_path / "never", network={"retries": {"times": 0}}) as served:
        answer = await run(served, "a")
    assert (answer.status, answer.error["type"]) == (429, "ThrottlingException")
    assert "Too many requests" in answer.error["message"]


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (
            403,
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/x is not authorized to perform: bedrock:ApplyGuardrail",
        ),
        (403, "ExpiredTokenException", "The security token included in the request is expired"),
    ],
)
async def test_a_refused_key_is_told_with_where_it_is_from(
    status: int, kind: str, message: str, server: AwsServer, tmp_path: Path
) -> None:
    if kind == "ExpiredTokenException":
        server.expired.add(KEY_ID)
    else:
        server.answers = [(status, {"message": message}, {"x-amzn-errortype": kind})]
    async with bedrock(server, tmp_path) as served:
        answer = await run(served, "a")
    assert (answer.status, answer.error["code"]) == (502, "upstream_refused_key")
    assert message in answer.error["message"] and "that of its config" in answer.error["message"]
    assert SECRET not in answer.body.decode()


async def test_a_wrong_secret_is_refused_by_its_signature(server: AwsServer, tmp_path: Path) -> None:
    async with bedrock(server, tmp_path, aws_secret_access_key="another-secret-key") as served:
        answer = await run(served, "a")
    assert answer.status == 502 and "signature" in answer.error["message"]


@pytest.mark.parametrize(
    ("status", "kind", "ours"),
    [(400, "ValidationException", 400), (404, "ResourceNotFoundException", 404), (500, "InternalServerException", 502)],
)
async def test_other_failures_keep_their_words(
    status: int, kind: str, ours: int, server: AwsServer, tmp_path: Path
) -> None:
    server.answers = [(status, {"message": "what is wrong"}, {"x-amzn-errortype": kind})]
    async with bedrock(server, tmp_path) as served:
        answer = await run(served, "a")
    assert (answer.status, answer.error["type"]) == (ours, kind) and "what is wrong" in answer.error["message"]


async def test_without_credentials_or_region_it_says_what_to_set(
    server: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    nothing = {"aws_access_key_id": None, "aws_secret_access_key": None}
    async with bedrock(server, tmp_path / "key", **nothing) as served:
        answer = await run(served, "a")
        assert answer.status == 503 and "`AWS_ACCESS_KEY_ID`" in answer.error["message"], answer.body
        shown = (await served.client.get("/v1/providers/bedrock")).json()
        assert "no credentials" in shown["health"]["message"]
    async with bedrock(server, tmp_path / "region", region_name=None) as served:
        answer = await run(served, "a")
        assert answer.status == 503 and "`AWS_REGION`" in answer.error["message"]
