"""No secret gets into a recording, wherever it stands."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from runtime.errors import ConfigInvalid
from runtime.recording import hiding
from runtime.recording.bodies import Held
from runtime.recording.hiding import HIDDEN, Hiding

CANARY = "canary-0123456789abcdef"


NUMBER = 123_456_789_012


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
        {"events": [{"raw": f'data: {{"access_token": "{CANARY}'}]},
        {"json": {"name": "x", "text": "a part of a form has these too", "api_key": CANARY}},
        {"json": {"authorization": {"type": "bearer", "token": CANARY}, "credentials": {"user": "me", "pass": CANARY}}},
        {"json": {"cookies": [CANARY], "api_keys": [CANARY], "passwords": {"a": CANARY}}},
        {"json": {"headers": [{"name": "Authorization", "value": CANARY}]}},
        {"json": {"arguments": dumped({"password": CANARY})}},
        {"json": {"arguments": dumped({"deep": dumped({"password": CANARY, "city": "Paris"})})}},
        {"json": {"arguments": f"{{'db_access_token': '{CANARY}'}}"}},
        {"text": f'{{"access_token": "{CANARY}"}}\n{{"delta": "x"}}\n'},
        {"text": f"it got /v1/x?api_key={CANARY}&n=1 with x-api-key: {CANARY} and cookie: a={CANARY}; b=1"},
        {"text": f"host=db password={CANARY}"},
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


def streamed(*pieces: str) -> dict[str, Any]:
    """Two choices, whose pieces come in turn."""
    return {
        "events": [
            {"data": {"id": "x", "choices": [{"index": index, "delta": {"content": piece}}]}}
            for piece in pieces
            for index in (0, 1)
        ]
    }


def contents(answer: dict[str, Any], index: int) -> list[str]:
    choices = [event["data"]["choices"][0] for event in answer["events"]]
    return [one["delta"]["content"] for one in choices if one["index"] == index]


@pytest.mark.parametrize(
    "pieces, shown",
    [
        (("it is can", "ary-0123", "456789", "abcdef", ", is it?"), [f"it is {HIDDEN}", "", "", "", ", is it?"]),
        (("sk", "-proj-abcdef", "ghijklmnop1234, ", "sk-", "abcdefghijklmnop"), [HIDDEN, "", ", ", HIDDEN, ""]),
        (('{"pass', 'word": "', 'hun', 'ter", "n": 1}'), ['{"pass', 'word": "', HIDDEN, '", "n": 1}']),
        (("nothing", " of", " it"), ["nothing", " of", " it"]),
    ],
)  # fmt: skip
def test_what_a_stream_says_in_pieces_is_hidden(pieces: tuple[str, ...], shown: list[str]) -> None:
    answer = Hiding(lambda: [CANARY]).answer(streamed(*pieces))
    assert [contents(answer, index) for index in (0, 1)] == [shown, shown]


def test_an_account_that_is_a_number_becomes_another_one() -> None:
    shown = Hiding().answer({"json": {"account_id": NUMBER, "org_id": float(NUMBER), "total_tokens": 3}})
    assert shown == {"json": {"account_id": 0, "org_id": 0, "total_tokens": 3}}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/canary-project/locations/us-central1/publishers/google/models/x",
        "/client/v4/accounts/0123456789abcdef0123456789abcdef/ai/run/x",
        "/x/ocid1.tenancy.oc1..aaaaaaaacanary0123456789",
    ],
)
def test_an_account_in_a_path_is_hidden(path: str) -> None:
    shown = Hiding().request({"path": path})["path"]
    assert HIDDEN in shown and "canary" not in shown and "0123456789" not in shown


def test_what_describes_a_secret_is_none() -> None:
    tool = {"properties": {"api_key": {"type": "string", "description": "which"}, "password": {"anyOf": [{}]}}}
    said = {"text": "password = input() or get_password(url)", "json": tool}
    assert Hiding().answer(said) == said


def test_what_a_tool_is_called_with_may_be_named_as_an_account_is() -> None:
    said = {"json": {"function": {"name": "balance", "arguments": dumped({"account_id": "A-17"})}}}
    assert Hiding().answer(said) == said


def test_an_account_in_an_arn_is_hidden_and_the_rest_of_it_stays() -> None:
    text = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x"
    shown = Hiding().request({"path": f"/model/{text}/converse"})
    assert shown["path"] == f"/model/arn:aws:bedrock:us-east-1:{HIDDEN}:inference-profile/x/converse"


def test_what_this_process_knows_is_hidden_everywhere_also_in_bytes() -> None:
    hiding = Hiding(lambda: [CANARY, "short"])
    shown = hiding.answer({"json": {"a": f"x{CANARY}y", CANARY[:3]: "short"}, "bytes": Held(b"\0" + CANARY.encode())})
    assert shown["json"] == {"a": f"x{HIDDEN}y", "can": "short"} and CANARY.encode() not in shown["bytes"].data


def test_what_is_known_is_hidden_as_addresses_and_json_spell_it() -> None:
    secret = 'pa"ss/w\u00f6rd+1=='
    hiding = Hiding(lambda: [secret])
    shown = dumped(hiding.request({"path": f"/x/{quote(secret, safe='')}/y", "json": {secret: dumped([secret])}}))
    assert shown.count(HIDDEN) == 3 and "rd" not in shown


def test_a_pattern_is_looked_for_in_bytes_which_stay_what_they_are() -> None:
    hiding = Hiding(patterns=["k\u00fcnde-\\d+"])
    shown = hiding.request({"bytes": Held(b"\xff\0" + "sk-abcdefghijklmnop1234 k\u00fcnde-77".encode() + b"\xc3")})
    assert shown["bytes"].data == b"\xff\0" + f"{HIDDEN} {HIDDEN}".encode() + b"\xc3"


def test_the_headers_that_are_kept_are_in_order() -> None:
    shown = Hiding().answer({"headers": {"Retry-After": "1", "Content-Type": "x", "date": "now"}})
    assert list(shown["headers"].items()) == [("content-type", "x"), ("retry-after", "1")]


@pytest.mark.parametrize("pattern", ["", "x*"])
def test_a_pattern_that_finds_what_is_empty_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigInvalid, match="finds also what is empty"):
        Hiding(patterns=[pattern])


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


def test_the_same_name_is_looked_through_once_in_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that was read has a hundred thousand blocks with the same members."""
    hiding._lists()
    looked: list[str] = []
    plain = hiding._plain

    def counted(name: str) -> str:
        looked.append(name)
        return plain(name)

    monkeypatch.setattr(hiding, "_plain", counted)
    message = {"reply": {"blocks": [{"kind": "code", "text": "x", "password": CANARY}] * 1000}}
    assert CANARY not in dumped(Hiding().answer(message))
    assert len(looked) < 30
