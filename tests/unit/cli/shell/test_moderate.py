"""`llama moderate` and `llama shields`: which texts are sent, and how what shields say is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llama_cli.conversation import moderations
from tests.support.schemas import conform
from tests.support.wire import HEAD, server, sized

if TYPE_CHECKING:
    from tests.support.command_runner import Cli


def result(flagged: bool) -> dict[str, Any]:
    return {
        "flagged": flagged,
        "categories": {"violence": flagged, "hate": False},
        "category_scores": {"violence": 0.9 if flagged else 0.1, "hate": 0},
        "user_message": "No." if flagged else None,
    }


def answer(*results: Any) -> bytes:
    return sized(json.dumps({"id": "modr-1", "model": "usual", "results": results}).encode())


def refused(status: bytes, param: str | None, message: str) -> bytes:
    body = json.dumps({"error": {"message": message, "type": "t", "param": param, "code": None}}).encode()
    return (HEAD % (b"application/json", b"content-length: %d\r\n" % len(body))).replace(b"200 OK", status) + body


def test_a_row_a_text(cli: Cli) -> None:
    with server(answer(result(False), result(True))) as (url, seen):
        ended = cli("moderate", "a cat", "a bomb", "--url", url)
    assert ended == (0, "no\t\ta cat\nyes\tviolence\ta bomb\n", "")
    assert seen == [{"input": ["a cat", "a bomb"]}]


def test_json_is_a_row_a_text(cli: Cli) -> None:
    with server(answer(result(True))) as (url, seen):
        ended = cli("moderate", "a bomb", "--shield", "mine", "--url", url, "--json")
    conform(ended.json(), "moderate")
    [row] = ended.json()
    assert (row["flagged"], row["categories"], row["shield_id"]) == (True, ["violence"], "usual")
    assert (row["category_scores"], row["user_message"]) == ({"violence": 0.9, "hate": 0}, "No.")
    assert seen[0]["model"] == "mine"


@pytest.mark.parametrize(("flagged", "code"), [(True, 9), (False, 0)])
def test_the_harmful_ones_alone_and_a_code_for_pipelines(cli: Cli, flagged: bool, code: int) -> None:
    with server(answer(result(False), result(flagged))) as (url, _):
        ended = cli("moderate", "a", "b", "-q", "--exit-code", "--url", url)
    assert ended == (code, "b\n" if flagged else "", "")


def test_lines_of_a_pipe_are_texts_in_batches(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moderations, "_BATCH", 2)
    with server(answer(result(False), result(False)), answer(result(True))) as (url, seen):
        ended = cli("moderate", "--url", url, "-q", stdin="one\ntwo\n\nthree\n")
    assert ended.out == "three\n" and "1 blank line left out" in ended.err
    assert [body["input"] for body in seen] == [["one", "two"], ["three"]]


def test_nothing_to_look_at_is_usage(cli: Cli) -> None:
    assert cli("moderate", "--url", "http://127.0.0.1:9").code == 2


def test_a_shield_that_is_not_there_is_usage_and_one_that_fails_is_not(cli: Cli) -> None:
    with server(refused(b"404 Not Found", "model", "no shield `bmobs`")) as (url, _):
        ended = cli("moderate", "a", "--shield", "bmobs", "--url", url)
    assert ended.code == 2 and "no shield `bmobs`" in ended.err and "llama shields" in ended.err
    with server(refused(b"503 Service Unavailable", None, "the guard is down")) as (url, _):
        ended = cli("moderate", "a", "--url", url)
    assert ended.code != 0 and ended.out == "" and "the guard is down" in ended.err


@pytest.mark.parametrize("found", [[], [result(True), result(True)], [{}], ["x"], [{**result(False), "flagged": "no"}]])
def test_what_is_no_result_for_each_text_is_a_failure(cli: Cli, found: list[Any]) -> None:
    with server(answer(*found)) as (url, _):
        ended = cli("moderate", "a", "--url", url)
    assert ended.code == 6 and "no list of moderations" in ended.err


def test_the_shields_of_a_server(cli: Cli) -> None:
    shield = {
        "identifier": "usual", "provider_id": "guard", "provider_resource_id": "guard3:1b", "type": "shield",
        "params": {"version": "1"},
    }  # fmt: skip
    listed = sized(json.dumps({"data": [shield, {**shield, "identifier": "bare", "params": None}]}).encode())
    with server(listed) as (url, _):
        rows = cli("shields", "--url", url, "--json").json()
    conform(rows, "shields")
    assert rows[0] == {
        "id": "usual", "provider_id": "guard", "provider_shield_id": "guard3:1b", "params": {"version": "1"},
    }  # fmt: skip
    assert rows[1]["params"] == {}
    with server(listed) as (url, _):
        assert cli("shields", "--url", url) == (0, "usual\tguard\tguard3:1b\tversion=1\nbare\tguard\tguard3:1b\t\n", "")
