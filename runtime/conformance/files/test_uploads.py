"""Uploads in parts, over every provider of files."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from runtime.access import User
from runtime.apis.files.upload import CreateUploadRequest, UploadRequest
from runtime.conformance.asgi import Answered
from runtime.conformance.files.subject import LIMIT_BYTES, Subject, assert_nothing_is_left, listed
from runtime.conformance.files.test_files import as_user, at
from runtime.conformance.form import HEADERS, file, form
from runtime.conformance.stacks import Served
from runtime.errors import NotFound

pytestmark = pytest.mark.asyncio

PARTS = [b"first " * 50_000, b"", b"second " * 40_000, b"third"]
WHOLE = b"".join(PARTS)


async def begun(served: Served, size: int = len(WHOLE), **more: Any) -> str:
    asked = {"filename": "big.jsonl", "purpose": "user_data", "bytes": size, "mime_type": "text/jsonl", **more}
    answer = await served.client.post("/v1/uploads", asked)
    assert answer.status == 200, answer.body
    upload = answer.json()
    assert (upload["object"], upload["status"], upload["file"]) == ("upload", "pending", None)
    assert upload["expires_at"] == upload["created_at"] + 3600
    found: str = upload["id"]
    return found


async def sent(served: Served, upload_id: str, content: bytes) -> Answered:
    body = form(file(content, name="data", filename="blob"))
    return await served.client.post(f"/v1/uploads/{upload_id}/parts", body=body, headers=HEADERS)


async def part(served: Served, upload_id: str, content: bytes) -> str:
    answer = await sent(served, upload_id, content)
    assert answer.status == 200, answer.body
    assert answer.json()["object"] == "upload.part" and answer.json()["upload_id"] == upload_id
    found: str = answer.json()["id"]
    return found


async def completed(served: Served, upload_id: str, part_ids: list[str], **more: Any) -> Answered:
    return await served.client.post(f"/v1/uploads/{upload_id}/complete", {"part_ids": part_ids, **more})


async def test_a_file_is_made_of_its_parts_in_the_order_that_is_asked(served: Served, subject: Subject) -> None:
    upload_id = await begun(served)
    backwards = [await part(served, upload_id, content) for content in reversed(PARTS)]
    answer = await completed(served, upload_id, backwards[::-1], md5=hashlib.md5(WHOLE).hexdigest())
    assert (answer.status, answer.json()["status"]) == (200, "completed"), answer.body
    made = answer.json()["file"]
    assert (made["bytes"], made["filename"], made["purpose"]) == (len(WHOLE), "big.jsonl", "user_data")
    assert (await served.client.get(f"/v1/files/{made['id']}/content")).body == WHOLE
    assert await listed(served) == [made["id"]]
    await subject.collect(served)
    assert await subject.known(served) == [made["id"]]
    assert await subject.kept() == [made["id"]]


async def test_parts_may_come_at_the_same_time(served: Served) -> None:
    upload_id = await begun(served)
    part_ids = await asyncio.gather(*(part(served, upload_id, content) for content in PARTS))
    answer = await completed(served, upload_id, part_ids)
    assert (await served.client.get(f"/v1/files/{answer.json()['file']['id']}/content")).body == WHOLE


async def test_wrong_bytes_are_no_file_and_the_upload_goes_on(served: Served, subject: Subject) -> None:
    upload_id = await begun(served)
    part_ids = [await part(served, upload_id, content) for content in PARTS]
    answer = await completed(served, upload_id, part_ids, md5="0" * 32)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "checksum_mismatch", "md5")
    assert hashlib.md5(WHOLE).hexdigest() in answer.error["message"]
    assert await listed(served) == []
    assert await subject.kept() == sorted(part_ids)
    assert (await completed(served, upload_id, part_ids)).status == 200


@pytest.mark.parametrize("chosen", [[0, 1, 2], [0, 1, 2, 3, 3], []], ids=["too few", "one twice", "none"])
async def test_parts_that_do_not_make_the_file_are_a_400(served: Served, chosen: list[int]) -> None:
    upload_id = await begun(served)
    part_ids = [await part(served, upload_id, content) for content in PARTS]
    answer = await completed(served, upload_id, [part_ids[place] for place in chosen])
    assert (answer.status, answer.error["param"]) == (400, "part_ids")


async def test_a_part_of_another_upload_is_a_400_with_its_id(served: Served) -> None:
    foreign = await part(served, await begun(served), b"x")
    answer = await completed(served, await begun(served, size=1), [foreign])
    assert (answer.status, answer.error["code"]) == (400, "part_not_found")
    assert foreign in answer.error["message"]


async def test_a_cancelled_upload_is_over_and_its_parts_go(served: Served, subject: Subject) -> None:
    upload_id = await begun(served)
    part_ids = [await part(served, upload_id, content) for content in PARTS]
    answer = await served.client.post(f"/v1/uploads/{upload_id}/cancel")
    assert (answer.status, answer.json()["status"]) == (200, "cancelled")
    for again in (
        await completed(served, upload_id, part_ids),
        await sent(served, upload_id, b"x"),
        await served.client.post(f"/v1/uploads/{upload_id}/cancel"),
    ):
        assert (again.status, again.error["code"]) == (409, "upload_over")
        assert "cancelled" in again.error["message"]
    await subject.collect(served)
    await assert_nothing_is_left(served, subject)


async def test_only_one_of_two_completions_makes_a_file(served: Served, subject: Subject) -> None:
    upload_id = await begun(served)
    part_ids = [await part(served, upload_id, content) for content in PARTS]
    answers = await asyncio.gather(*(completed(served, upload_id, part_ids) for _ in range(2)))
    assert sorted(one.status for one in answers) == [200, 409]
    [kept] = await listed(served)
    await subject.collect(served)
    assert await subject.kept() == [kept]


async def test_an_upload_expires_after_an_hour_with_its_parts(
    served: Served, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = await begun(served)
    await part(served, upload_id, b"x")
    at(monkeypatch, 3601)
    answer = await sent(served, upload_id, b"y")
    assert (answer.status, answer.error["code"]) == (404, "upload_not_found")
    await subject.collect(served)
    await assert_nothing_is_left(served, subject)


async def test_the_file_expires_as_its_upload_said(served: Served) -> None:
    upload_id = await begun(served, size=1, expires_after={"anchor": "created_at", "seconds": 7200})
    made = (await completed(served, upload_id, [await part(served, upload_id, b"x")])).json()["file"]
    assert made["expires_at"] == made["created_at"] + 7200


async def test_a_file_in_parts_may_be_larger_than_a_whole_one(served: Served) -> None:
    half = b"x" * (LIMIT_BYTES - 1)
    upload_id = await begun(served, size=2 * len(half))
    part_ids = [await part(served, upload_id, half) for _ in range(2)]
    assert (await completed(served, upload_id, part_ids)).json()["file"]["bytes"] == 2 * len(half)


async def test_a_part_is_no_larger_than_its_file(served: Served, subject: Subject) -> None:
    answer = await sent(served, await begun(served, size=10), b"x" * 11)
    assert (answer.status, answer.error["param"]) == (413, "data")
    await assert_nothing_is_left(served, subject)


@pytest.mark.parametrize(
    ("facts", "status", "param"),
    [
        ({"bytes": 8 * 1024**3 + 1}, 400, "bytes"),
        ({"bytes": -1}, 400, "bytes"),
        ({"purpose": "x"}, 400, "purpose"),
        ({"mime_type": None}, 400, "mime_type"),
        ({"expires_after": {"anchor": "created_at", "seconds": 1}}, 400, "expires_after.seconds"),
    ],
)
async def test_an_upload_that_cannot_be_is_refused(
    served: Served, facts: dict[str, Any], status: int, param: str
) -> None:
    asked = {"filename": "a", "purpose": "batch", "bytes": 1, "mime_type": "text/plain", **facts}
    answer = await served.client.post("/v1/uploads", asked)
    assert (answer.status, answer.error["param"]) == (status, param)


async def test_another_user_s_upload_is_a_404(served: Served) -> None:
    files = served.stack.api("files")
    with as_user(User(principal="ada")):
        request = CreateUploadRequest(filename="a", purpose="batch", bytes=1, mime_type="text/plain")
        upload_id = (await files.create_upload(request)).id
    with as_user(User(principal="eve")), pytest.raises(NotFound, match=upload_id):
        await files.cancel_upload(UploadRequest(upload_id=upload_id))
