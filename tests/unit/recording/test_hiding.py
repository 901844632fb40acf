"""No secret gets into a recording, wherever it stands."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.errors import ConfigInvalid
from runtime.recording.bodies import Held
from runtime.recording.hiding import HIDDEN, Hiding

CANARY = "canary-0123456789abcdef"


def dumped(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@pytest.mark.parametrize(
    "message",
    [
        {"headers": {"Authorization": CANARY, "cookie": CANARY, "x-api-key": CANARY, "openai-organization": CANARY}},
        {"headers": {"set-cookie": CANARY, "x-request-id": CANARY, "cf-ray": CANARY}},
        {"query": [["api_key", CANARY], ["key", CANARY], ["X-Amz-Signature", CANARY]]},
        {"json": {"apiKey": CANARY, "deep": [{"client_secret": CANARY, "password": CANARY}]}},
        {"json": {"account_id": CANARY, "tenantId": CANARY, "aws_session_token": CANARY}},
        {"fields": [["client_assertion", CANARY], ["key", CANARY]]},
        {"parts": [{"name": "api_key", "text": CANARY}]},
        {"json": {"text": f"Bearer {CANARY}"}},
        {"json": {"text": f"postgresql://user:{CANARY}@host/db"}},
        {"events": [{"data": {"access_token": CANARY}}]},
    ],
)
def test_it_is_hidden_by_where_it_stands(message: dict[str, Any]) -> None:
    assert CANARY not in dumped(Hiding().request(message))
    assert CANARY not in dumped(Hiding().answer(message))


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdefghijklmnop1234", "sk-ant-api03-abcdefghijklmnop", "gsk_abcdefghijklmnop1234",
        "AKIAIOSFODNN7EXAMPLE", "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234", "ghp_abcdefghijklmnopqrst",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "hf_abcdefghijklmnopqrst",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----",
    ],
)  # fmt: skip
def test_it_is_hidden_by_how_it_looks(text: str) -> None:
    shown = Hiding().answer({"json": {"content": f"my key is {text}, keep it"}})
    assert shown["json"]["content"] == f"my key is {HIDDEN}, keep it"


def test_an_account_in_an_arn_is_hidden_and_the_rest_of_it_stays() -> None:
    text = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x"
    shown = Hiding().request({"path": f"/model/{text}/converse"})
    assert shown["path"] == f"/model/arn:aws:bedrock:us-east-1:{HIDDEN}:inference-profile/x/converse"


def test_what_this_process_knows_is_hidden_everywhere_also_in_bytes() -> None:
    hiding = Hiding(lambda: [CANARY, "short"])
    shown = hiding.answer({"json": {"a": f"x{CANARY}y", CANARY[:3]: "short"}, "bytes": Held(b"\0" + CANARY.encode())})
    assert shown["json"] == {"a": f"x{HIDDEN}y", "can": "short"} and CANARY.encode() not in shown["bytes"].data


def test_what_the_caller_brought_is_hidden() -> None:
    assert CANARY not in dumped(Hiding().request({"json": {"echo": CANARY}}, also=[CANARY]))


def test_a_pattern_of_the_user_s_hides_what_it_finds_or_its_group() -> None:
    hiding = Hiding(patterns=[r"customer-\d+", r"name: (\w+)"])
    shown = hiding.request({"json": {"content": "customer-77 has the name: Ada"}})
    assert shown["json"]["content"] == f"{HIDDEN} has the name: {HIDDEN}"


def test_a_pattern_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ConfigInvalid, match=r"`\(` is no regular expression"):
        Hiding(patterns=["("])


def test_what_only_has_the_name_of_a_secret_stays() -> None:
    usual = {
        "json": {"logprobs": {"content": [{"token": "Hi", "logprob": -0.1}]}, "usage": {"total_tokens": 3}},
        "headers": {"content-type": "application/json"},
    }
    assert Hiding().answer(usual) == usual
