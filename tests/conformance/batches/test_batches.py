"""What a batch is answered with: each line once, in order, by its own id, with what it costs and what is wrong."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from runtime.conformance.upstream import EMBEDDING_MODEL
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.wire import OPENAI
from tests.conformance.batches.asking import BATCHES, CHAT, MODEL, Asking, Json, asking_at, line, lines

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_each_line_is_answered_in_the_order_of_the_input(asking: Asking) -> None:
    """Whichever answer comes first: the vendor answers each pair of lines the other way round."""
    first_waits = asyncio.Event()

    async def second_first(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if "Say 0" in json.dumps(body):
            await first_waits.wait()
        if "Say 19" in json.dumps(body):
            first_waits.set()
        return web.json_response(chat(body, OPENAI).whole)

    asking.vendor.misbehaves = second_first
    batch = await asking.completed(*lines(20))
    assert (batch["endpoint"], batch["model"], batch["errors"], batch["error_file_id"]) == (CHAT, MODEL, None, None)
    assert batch["request_counts"] == {"total": 20, "completed": 20, "failed": 0}
    output = await asking.output(batch)
    assert [one["custom_id"] for one in output] == [f"line-{number}" for number in range(20)]
    assert len({one["id"] for one in output}) == 20 and all(one["error"] is None for one in output)
    assert {one["response"]["status_code"] for one in output} == {200}
    assert len({one["response"]["request_id"] for one in output}) == 20
    assert {one["response"]["body"]["model"] for one in output} == {MODEL}


async def test_an_answer_is_that_of_the_same_request_by_itself(asking: Asking) -> None:
    asked = line("one", "Hello")
    [answered] = await asking.output(await asking.completed(asked))
    alone = await asking.done("POST", CHAT, asked["body"])
    assert answered["response"]["body"] | {"id": "", "created": 0} == alone | {"id": "", "created": 0}


async def test_the_tokens_of_all_answers_are_added_up(asking: Asking) -> None:
    batch = await asking.completed(*lines(3))
    usages = [one["response"]["body"]["usage"] for one in await asking.output(batch)]
    read, written = (sum(one[name] for one in usages) for name in ("prompt_tokens", "completion_tokens"))
    assert read and written
    assert batch["usage"] == {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }


async def test_its_times_tell_how_it_went(asking: Asking) -> None:
    begun = await asking.create(line("a"), metadata={"kind": "nightly"})
    assert begun["status"] == "validating" and begun["expires_at"] == begun["created_at"] + 24 * 3600
    ended = await asking.ended(begun)
    times = [ended[name] for name in ("created_at", "in_progress_at", "finalizing_at", "completed_at")]
    assert times == sorted(times) and ended["metadata"] == {"kind": "nightly"}
    assert ended["failed_at"] is ended["expired_at"] is ended["cancelling_at"] is ended["cancelled_at"] is None


@pytest.mark.parametrize(
    ("endpoint", "body", "object_"),
    [
        ("/v1/embeddings", {"model": f"vendor/{EMBEDDING_MODEL}", "input": "Hello"}, "list"),
        ("/v1/completions", {"model": MODEL, "prompt": "Hello"}, "text_completion"),
        ("/v1/responses", {"model": MODEL, "input": "Hello"}, "response"),
    ],
)
async def test_every_endpoint_is_asked(asking: Asking, endpoint: str, body: Json, object_: str) -> None:
    asked = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body}
    batch = await asking.completed(asked, endpoint=endpoint)
    [answered] = await asking.output(batch)
    assert answered["response"]["body"]["object"] == object_
    assert batch["usage"]["input_tokens"] > 0


async def test_moderations_are_asked(asking: Asking, tmp_path: Path) -> None:
    shield = {"provider_id": "profanity-check", "provider_type": "inline::profanity-check"}
    asked = {"custom_id": "a", "method": "POST", "url": "/v1/moderations", "body": {"input": "You are an idiot"}}
    async with asking_at(asking.vendor, tmp_path, safety=[shield]) as moderated:
        [answered] = await moderated.output(await moderated.completed(asked, endpoint="/v1/moderations"))
    assert answered["response"]["body"]["results"][0]["flagged"] is True


async def test_what_is_refused_is_in_the_error_file_as_it_would_be_answered(asking: Asking) -> None:
    wrong, unknown = line("wrong", temperature="hot"), line("unknown", model="vendor/none")
    batch = await asking.completed(line("a"), wrong, unknown, line("b"))
    assert batch["request_counts"] == {"total": 4, "completed": 2, "failed": 2} and batch["model"] is None
    assert [one["custom_id"] for one in await asking.output(batch)] == ["a", "b"]
    first, second = await asking.errors(batch)
    assert (first["custom_id"], second["custom_id"]) == ("wrong", "unknown")
    for failed, asked in ((first, wrong), (second, unknown)):
        alone = await asking.ask("POST", CHAT, asked["body"])
        assert failed["response"]["status_code"] == alone.status and failed["error"] is None
        assert failed["response"]["body"] == {"error": alone.json()["error"]}


async def test_a_malformed_line_is_told_with_its_number_and_the_others_are_answered(asking: Asking) -> None:
    given = [
        line("a"),
        "not JSON",
        '["a list"]',
        {"method": "POST", "url": CHAT, "body": {}},
        line("d", method="GET") | {"method": "GET"},
        {"custom_id": "e", "method": "POST", "body": {}},
        {"custom_id": "f", "method": "POST", "url": CHAT},
        {"custom_id": "g", "method": "POST", "url": CHAT, "body": [1]},
        line("h", stream=True),
        line("a"),
        line("i"),
    ]
    batch = await asking.completed(*given)
    assert batch["request_counts"] == {"total": 11, "completed": 2, "failed": 9}
    assert [one["custom_id"] for one in await asking.output(batch)] == ["a", "i"]
    told = [(one["line"], one["code"], one["param"]) for one in batch["errors"]["data"]]
    assert told == [
        (2, "invalid_json_line", None),
        (3, "invalid_json_line", None),
        (4, "missing_required_parameter", "custom_id"),
        (5, "invalid_method", "method"),
        (6, "missing_required_parameter", "url"),
        (7, "missing_required_parameter", "body"),
        (8, "invalid_body", "body"),
        (9, "stream_not_supported", "body.stream"),
        (10, "duplicate_custom_id", "custom_id"),
    ]
    errors = await asking.errors(batch)
    assert [(one["error"]["line"], one["error"]["code"], one["error"]["param"]) for one in errors] == told
    assert [one["custom_id"] for one in errors] == [None, None, None, "d", "e", "f", "g", "h", "a"]
    assert "line 1" in errors[-1]["error"]["message"] and all(one["response"] is None for one in errors)


async def test_blank_lines_count_and_are_not_asked(asking: Asking) -> None:
    batch = await asking.completed("\ufeff" + json.dumps(line("a")), "", " \r", json.dumps(line("b")) + "\r", "no")
    assert batch["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    assert [one["line"] for one in batch["errors"]["data"]] == [5]


async def test_tokens_that_cannot_be_are_not_counted(asking: Asking) -> None:
    """They would be no number of any database."""

    async def many(request: web.Request) -> web.StreamResponse:
        whole = chat(await request.json(), OPENAI).whole
        whole["usage"] |= {"prompt_tokens": 2**63 - 1, "completion_tokens": -5}
        return web.json_response(whole)

    asking.vendor.misbehaves = many
    batch = await asking.completed(*lines(3))
    assert batch["request_counts"]["completed"] == 3 and batch["usage"]["total_tokens"] == 0


async def test_an_answer_on_several_lines_is_one_line(asking: Asking) -> None:
    async def spread(request: web.Request) -> web.StreamResponse:
        whole = json.dumps(chat(await request.json(), OPENAI).whole, indent=1).replace("\n", "\r\n")
        return web.Response(text=whole, content_type="application/json")

    asking.vendor.misbehaves = spread
    assert len(await asking.output(await asking.completed(*lines(3)))) == 3


async def test_its_files_expire_when_it_is_said(asking: Asking) -> None:
    after = {"anchor": "created_at", "seconds": 7200}
    batch = await asking.completed(line("a"), "no", output_expires_after=after)
    for name in ("output_file_id", "error_file_id"):
        kept = await asking.done("GET", f"/v1/files/{batch[name]}")
        assert (kept["purpose"], kept["expires_at"] - kept["created_at"]) == ("batch_output", 7200)


async def test_batches_are_listed_page_by_page(asking: Asking) -> None:
    ids = [(await asking.create(line("a")))["id"] for _ in range(3)][::-1]
    first = await asking.done("GET", f"{BATCHES}?limit=2")
    assert [one["id"] for one in first["data"]] == ids[:2] and first["has_more"]
    assert (first["first_id"], first["last_id"]) == (ids[0], ids[1])
    second = await asking.done("GET", f"/v1/openai/v1/batches?limit=1&after={first['last_id']}")
    assert [one["id"] for one in second["data"]] == ids[2:]
    assert (await asking.refused(400, f"{BATCHES}?after=none", method="GET"))["code"] == "invalid_cursor"
