"""What every provider of files promises, asked at the server's door."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from runtime import ids
from runtime.access import User
from runtime.apis._carriers import Upload
from runtime.apis.files.file import FileRequest, ListFilesRequest, UploadFileRequest
from runtime.conformance.files.subject import (
    LIMIT_BYTES,
    Subject,
    assert_nothing_is_left,
    listed,
    upload,
    uploaded,
)
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import Served
from runtime.context import RequestContext, serving
from runtime.errors import NotFound

pytestmark = pytest.mark.asyncio

EVERY_BYTE = bytes(range(256)) * 4100  # about 1 MB, in which every line end occurs


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let it be so many seconds later."""
    now = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(ids, "_last_position", ids._last_position)  # so that nothing later is made in this future


async def test_a_file_is_kept_shown_and_read_as_it_was(served: Served, subject: Subject) -> None:
    kept = await uploaded(served, EVERY_BYTE, filename="every.bin", purpose="user_data")
    facts = {"object": "file", "bytes": len(EVERY_BYTE), "filename": "every.bin", "purpose": "user_data"}
    assert {name: kept[name] for name in facts} == facts
    assert kept["status"] == "processed" and kept["expires_at"] is None and abs(kept["created_at"] - time.time()) < 60
    assert (await served.client.get(f"/v1/files/{kept['id']}")).json() == kept
    page = (await served.client.get("/v1/files")).json()
    assert page == {
        "object": "list", "data": [kept], "first_id": kept["id"], "last_id": kept["id"], "has_more": False
    }  # fmt: skip
    content = await served.client.get(f"/v1/files/{kept['id']}/content")
    assert content.status == 200 and content.body == EVERY_BYTE
    assert await subject.kept() == [kept["id"]]


async def test_an_empty_file_is_a_file(served: Served) -> None:
    kept = await uploaded(served, b"")
    content = await served.client.get(f"/v1/files/{kept['id']}/content")
    assert (content.status, content.body, kept["bytes"]) == (200, b"", 0)


async def test_a_file_that_was_deleted_is_gone_with_its_bytes(served: Served, subject: Subject) -> None:
    kept = await uploaded(served)
    answer = await served.client.request("DELETE", f"/v1/files/{kept['id']}")
    assert answer.json() == {"id": kept["id"], "object": "file", "deleted": True}
    await assert_nothing_is_left(served, subject)
    assert await listed(served) == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/content"), ("DELETE", "")], ids=["get", "content", "delete"]
)
async def test_an_unknown_file_is_a_404_with_its_id(served: Served, method: str, path: str) -> None:
    answer = await served.client.request(method, f"/v1/files/file-unknown{path}")
    assert (answer.status, answer.error["code"]) == (404, "file_not_found")
    assert "`file-unknown`" in answer.error["message"]


async def test_pages_follow_each_other_in_both_orders(served: Served) -> None:
    ids = [(await uploaded(served, b"%d" % place))["id"] for place in range(5)]
    assert await listed(served) == ids[::-1]
    assert await listed(served, "?order=asc") == ids
    assert await listed(served, f"?limit=2&after={ids[3]}") == [ids[2], ids[1]]
    assert await listed(served, f"?limit=2&order=asc&before={ids[4]}") == [ids[2], ids[3]]
    first = (await served.client.get("/v1/files?limit=2")).json()
    assert (first["first_id"], first["last_id"], first["has_more"]) == (ids[4], ids[3], True)
    assert (await served.client.get(f"/v1/files?after={ids[0]}")).json()["data"] == []


async def test_files_for_one_purpose_alone(served: Served) -> None:
    await uploaded(served, purpose="assistants")
    wanted = await uploaded(served, purpose="vision")
    assert await listed(served, "?purpose=vision") == [wanted["id"]]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("order=up", "order"),
        ("purpose=x", "purpose"),
        ("after=x", "after"),
    ],
)
async def test_a_list_that_cannot_be_is_a_400(served: Served, query: str, param: str) -> None:
    answer = await served.client.get(f"/v1/files?{query}")
    assert (answer.status, answer.error["param"]) == (400, param)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=500000-500009", slice(500000, 500010)),
        ("bytes=-3", slice(-3, None)),
        ("bytes=1049590-", slice(1049590, None)),
    ],
)
async def test_a_range_is_those_bytes_alone(served: Served, asked: str, wanted: slice) -> None:
    kept = await uploaded(served, EVERY_BYTE)
    answer = await served.client.get(f"/v1/files/{kept['id']}/content", headers={"range": asked})
    assert (answer.status, answer.body) == (206, EVERY_BYTE[wanted])


async def test_a_range_behind_the_end_is_a_416(served: Served) -> None:
    kept = await uploaded(served)
    answer = await served.client.get(f"/v1/files/{kept['id']}/content", headers={"range": "bytes=5-"})
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */5")


@pytest.mark.parametrize(
    ("content", "filename", "kind"),
    [
        (b"<script>alert(1)</script>", "page.html", "text/plain; charset=utf-8"),
        ("Grüße".encode(), "x", "text/plain; charset=utf-8"),
        (b"a" * 1023 + "ü".encode(), "cut in a character", "text/plain; charset=utf-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "x.html", "image/png"),
        (b"%PDF-1.7\n", "x.txt", "application/pdf"),
        (b"PK\x03\x04more", "x.docx", "application/zip"),
        (b"\xff\xfe\0\0", "x.txt", "application/octet-stream"),
        (b"caf\xe9", "x.txt", "application/octet-stream"),
    ],
)
async def test_a_file_is_sent_as_what_it_is_and_never_shown(
    served: Served, content: bytes, filename: str, kind: str
) -> None:
    kept = await uploaded(served, content, filename=filename)
    answer = await served.client.get(f"/v1/files/{kept['id']}/content")
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    again = await served.client.get(
        f"/v1/files/{kept['id']}/content", headers={"if-none-match": answer.headers["etag"]}
    )
    assert again.status == 304


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..", "a\\b", "naïve 🦙.txt", "x" * 3000, "con", "a;b%00c"]
)
async def test_a_name_is_never_a_path(served: Served, subject: Subject, name: str) -> None:
    kept = await uploaded(served, filename=name)
    assert kept["filename"] == name
    assert await subject.kept() == [kept["id"]]


async def test_a_name_that_no_database_can_hold_is_kept_as_far_as_it_can_be(served: Served) -> None:
    assert (await uploaded(served, filename="a\0b"))["filename"] == "a\ufffdb"


async def test_a_file_may_have_as_many_bytes_as_are_allowed_and_not_one_more(served: Served, subject: Subject) -> None:
    kept = await uploaded(served, b"x" * LIMIT_BYTES)
    assert kept["bytes"] == LIMIT_BYTES
    await served.client.request("DELETE", f"/v1/files/{kept['id']}")
    answer = await upload(served, b"x" * (LIMIT_BYTES + 1))
    assert (answer.status, answer.error["code"], answer.error["param"]) == (413, "request_too_large", "file")
    assert str(LIMIT_BYTES) in answer.error["message"]
    await assert_nothing_is_left(served, subject)


async def test_a_file_that_says_that_it_is_too_large_is_not_read(served: Served, subject: Subject) -> None:
    begun = form(field("purpose", "vision"), file(b"x" * 1000))[:-20]
    call = served.client.call(
        "POST", "/v1/files", headers={**HEADERS, "content-length": "9000000"}, body=begun, is_whole=False
    )
    assert (await call.start())[0] == 413
    await call.leave()
    await assert_nothing_is_left(served, subject)


async def test_a_file_before_its_purpose_is_stopped_where_others_are(served: Served, subject: Subject) -> None:
    """OpenAI's client for Node.js sends the fields as they were written down."""
    purpose = field("purpose", "vision")
    body = form(file(b"x" * LIMIT_BYTES), purpose)
    kept = (await served.client.post("/v1/files", body=body, headers=HEADERS)).json()
    assert (kept["bytes"], kept["purpose"]) == (LIMIT_BYTES, "vision")
    await served.client.request("DELETE", f"/v1/files/{kept['id']}")
    begun = form(file(b"x" * (LIMIT_BYTES + 1000)))[:-20]
    announced = {**HEADERS, "content-length": "9000000"}
    for headers, sent in ((HEADERS, begun), (announced, begun[:1000])):
        call = served.client.call("POST", "/v1/files", headers=headers, body=sent, is_whole=False)
        assert (await call.start())[0] == 413
        assert f"The file is larger than {LIMIT_BYTES} bytes" in (await call.rest()).decode()
    await assert_nothing_is_left(served, subject)


@pytest.mark.parametrize("size", [1000, 1_500_000])
async def test_an_upload_that_is_left_leaves_nothing(served: Served, subject: Subject, size: int) -> None:
    begun = form(field("purpose", "vision"), file(b"x" * size))[:-20]
    pieces = [begun[place : place + 65536] for place in range(0, len(begun), 65536)]
    call = served.client.call("POST", "/v1/files", headers=HEADERS, body=pieces, is_whole=False)
    await call.leave()
    await assert_nothing_is_left(served, subject)


async def test_a_form_that_breaks_off_leaves_nothing(served: Served, subject: Subject) -> None:
    body = form(field("purpose", "vision"), file(b"x" * 100_000))[:-20]
    answer = await served.client.post("/v1/files", body=body, headers=HEADERS)
    assert (answer.status, answer.error["code"]) == (400, "invalid_form")
    await assert_nothing_is_left(served, subject)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"purpose": "mischief"}, "purpose"),
        ({"expires_after__anchor": "created_at", "expires_after__seconds": "3599"}, "expires_after.seconds"),
        ({"expires_after__anchor": "created_at", "expires_after__seconds": "2592001"}, "expires_after.seconds"),
        ({"expires_after__anchor": "last_used_at", "expires_after__seconds": "3600"}, "expires_after.anchor"),
        ({"expires_after__seconds": "3600"}, "expires_after.anchor"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_field_is_a_400_and_leaves_nothing(
    served: Served, subject: Subject, fields: dict[str, Any], param: str
) -> None:
    answer = await upload(served, **fields)
    assert (answer.status, answer.error["param"]) == (400, param), answer.body
    await assert_nothing_is_left(served, subject)


async def test_wrong_fields_after_the_file_leave_nothing_too(served: Served, subject: Subject) -> None:
    late = (field("expires_after[anchor]", "created_at"), field("expires_after[seconds]", "1"))
    body = form(field("purpose", "vision"), file(b"x"), *late)
    answer = await served.client.post("/v1/files", body=body, headers=HEADERS)
    assert (answer.status, answer.error["param"]) == (400, "expires_after.seconds")
    await assert_nothing_is_left(served, subject)


@pytest.mark.parametrize("is_late", [False, True], ids=["before the file", "after it"])
async def test_what_expires_is_not_served_and_its_bytes_go(
    served: Served, subject: Subject, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    stays = await uploaded(served)
    expiry = (field("expires_after[anchor]", "created_at"), field("expires_after[seconds]", "3600"))
    purpose, content = field("purpose", "vision"), file(b"x")
    body = form(purpose, content, *expiry) if is_late else form(purpose, *expiry, content)
    goes = (await served.client.post("/v1/files", body=body, headers=HEADERS)).json()
    assert goes["expires_at"] == goes["created_at"] + 3600
    at(monkeypatch, 3590)
    assert await listed(served) == [goes["id"], stays["id"]]
    at(monkeypatch, 3602)
    assert await listed(served) == [stays["id"]]
    assert (await served.client.get(f"/v1/files/{goes['id']}/content")).status == 404
    await subject.collect(served)
    assert await subject.kept() == [stays["id"]]
    assert await subject.known(served) == [stays["id"]]


async def test_files_for_batches_expire_after_30_days_unless_their_sender_says(served: Served) -> None:
    usual = await uploaded(served, purpose="batch")
    assert usual["expires_at"] == usual["created_at"] + 30 * 24 * 3600
    short = await uploaded(served, purpose="batch", expires_after__anchor="created_at", expires_after__seconds="7200")
    assert short["expires_at"] == short["created_at"] + 7200


async def test_a_user_sees_own_files_and_those_of_users_with_a_common_group(served: Served) -> None:
    ada, bob, eve = User(principal="ada", attributes={"teams": ("red",)}), User(principal="bob"), User(principal="eve")
    carl = User(principal="carl", attributes={"teams": ("red", "blue")})
    ids = {}
    for user in (ada, bob):
        with as_user(user):
            ids[user.principal] = await made(served)
    files = served.stack.api("files")
    for user, seen in ((ada, ["ada"]), (bob, ["bob"]), (eve, []), (carl, ["ada"])):
        with as_user(user):
            page = (await files.list_files(ListFilesRequest())).value()
            assert [one["id"] for one in page["data"]] == [ids[name] for name in seen]
            for name, file_id in ids.items():
                for ask in (files.get_file, files.read_file):
                    if name in seen:
                        await ask(FileRequest(file_id=file_id))
                    else:
                        with pytest.raises(NotFound, match=file_id):
                            await ask(FileRequest(file_id=file_id))
    with as_user(eve), pytest.raises(NotFound):
        await files.delete_file(FileRequest(file_id=ids["bob"]))
    assert len(await listed(served)) == 2


def as_user(user: User) -> Any:
    return serving(RequestContext(user=user))


async def made(served: Served) -> str:
    """A file of the current user's."""

    async def content() -> Any:
        yield b"mine"

    request = UploadFileRequest(file=Upload(content(), filename="mine"), purpose="vision")
    found: str = (await served.stack.api("files").upload_file(request)).id
    return found


async def test_many_at_once_are_each_kept(served: Served) -> None:
    contents = [b"%d" % place * 1000 for place in range(32)]
    files = await asyncio.gather(*(uploaded(served, content) for content in contents))
    assert sorted(await listed(served)) == sorted(one["id"] for one in files)
    for one, content in zip(files, contents, strict=True):
        assert (await served.client.get(f"/v1/files/{one['id']}/content")).body == content
