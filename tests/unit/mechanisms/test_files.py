"""Uploads are pulled, in any order of fields; downloads answer ranges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.form import HEADERS, form
from runtime.conformance.stacks import Served, adapter_of
from runtime.server.app import make_app
from tests.support.examples import shelves
from tests.support.examples.shelves import LIMIT_BYTES, Shelf
from tests.support.raw_http import listening
from tests.support.stacks import serving_example

FILE = ('form-data; name="file"; filename="../x.txt"', b"hello\r\n--cu\r\nworld")
PURPOSE = ('form-data; name="purpose"', b"reading")


@pytest_asyncio.fixture
async def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving_example(monkeypatch, shelves, tmp_path) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.rglob("shelves/shelf/*"))


@pytest.mark.parametrize("parts", [(PURPOSE, FILE), (FILE, PURPOSE)], ids=["file last", "file first"])
async def test_a_file_arrives_whole_wherever_it_stands(client: Client, tmp_path: Path, parts: Any) -> None:
    answer = await client.post("/v1/books", body=form(*parts), headers=HEADERS)
    assert answer.status == 200, answer.body
    assert answer.json()["filename"] == "../x.txt"
    assert (answer.json()["size"], answer.json()["purpose"]) == (len(FILE[1]), "reading")
    [name] = kept(tmp_path)
    assert (tmp_path / "shelves" / "shelf" / name).read_bytes() == FILE[1]


async def test_fields_after_the_file_count_too(client: Client) -> None:
    late = (
        ('form-data; name="tags[]"', b"a"),
        ('form-data; name="expires_after[anchor]"', b"created_at"),
        ('form-data; name="expires_after[seconds]"', b"60"),
    )
    answer = await client.post("/v1/books", body=form(PURPOSE, FILE, *late), headers=HEADERS)
    assert (answer.status, answer.json()["tags"], answer.json()["seconds"]) == (200, ["a"], 60), answer.body


async def test_it_is_pulled_piece_by_piece(served: Served) -> None:
    whole = form(PURPOSE, ('form-data; name="file"; filename="big"', b"x" * 3_000_000))
    pieces = [whole[at : at + 10_000] for at in range(0, len(whole), 10_000)]
    answer = await served.client.post("/v1/books", body=pieces, headers=HEADERS)
    assert answer.json()["size"] == 3_000_000
    shelf: Shelf = adapter_of(served.stack, "shelves")
    assert shelf.most_bytes <= 10_000


async def test_fields_may_be_repeated_bracketed_or_json(client: Client) -> None:
    more = (
        ('form-data; name="tags[]"', b"a"),
        ('form-data; name="tags[]"', b"b"),
        ('form-data; name="expires_after[anchor]"', b"created_at"),
        ('form-data; name="expires_after[seconds]"', b"60"),
    )
    answer = await client.post("/v1/books", body=form(PURPOSE, *more, FILE), headers=HEADERS)
    assert (answer.json()["tags"], answer.json()["seconds"]) == (["a", "b"], 60)
    written = (('form-data; name="expires_after"', b'{"anchor": "created_at", "seconds": 5}'),)
    answer = await client.post("/v1/books", body=form(PURPOSE, *written, FILE), headers=HEADERS)
    assert (answer.json()["tags"], answer.json()["seconds"]) == ([], 5)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (form(PURPOSE), 400, "invalid_value"),
        (form(FILE), 400, "invalid_value"),
        (form(PURPOSE, FILE, ('form-data; name="shape"', b"late")), 400, "invalid_value"),
        (form(PURPOSE, FILE, ('form-data; name="file"; filename="b"', b"late")), 400, "invalid_form"),
        (form(PURPOSE, FILE)[:-20], 400, "invalid_form"),
        (form(PURPOSE, ('form-data; name="file"', b"path.md")), 400, "invalid_form"),  # curl's `-F file=path.md`
        (b"no form", 400, "invalid_form"),
        (form(PURPOSE, ('form-data; name="shape"', b"x"), FILE), 400, "invalid_value"),
        (form(PURPOSE, ('form-data; name="file"; filename="f"', b"x" * LIMIT_BYTES)), 413, "request_too_large"),
        (form(('form-data; name="purpose"', b"x" * 1_100_000), FILE), 413, "request_too_large"),
        (form(PURPOSE, *[('form-data; name="tags"', b"x" * 300_000)] * 4, FILE), 413, "request_too_large"),
        (form(PURPOSE, FILE, *[('form-data; name="tags"', b"x" * 300_000)] * 4), 413, "request_too_large"),
        (form(*[PURPOSE] * 1001), 400, "invalid_form"),
        (form(PURPOSE, ('form-data; name="tags[x"', b"x"), FILE), 400, "invalid_value"),
    ],
    ids=[
        "no file",
        "no purpose",
        "unknown field after the file",
        "second file",
        "cut off",
        "text in place of a file",
        "nonsense",
        "unknown field",
        "large",
        "large text",
        "large fields",
        "large fields after the file",
        "many",
        "odd name",
    ],
)
async def test_a_bad_form_is_refused_and_leaves_nothing(
    client: Client, tmp_path: Path, body: bytes, status: int, code: str
) -> None:
    pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    answer = await client.post("/v1/books", body=pieces, headers=HEADERS)
    assert (answer.status, answer.error["code"]) == (status, code), answer.body
    assert kept(tmp_path) == []


async def test_a_form_without_files_has_no_more_fields_than_one_with_them(client: Client) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await client.post("/v1/books", body=b"tags=a&" * 1001, headers=headers)
    assert (answer.status, answer.error["code"]) == (400, "invalid_form")
    assert "1000 fields" in answer.error["message"]
    answer = await client.post("/v1/books", body=[b"tags=", b"a" * 1_100_000], headers=headers)
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("name", ["files", "files[]"])
async def test_several_files_are_one_field(client: Client, name: str) -> None:
    parts = [(f'form-data; name="{name}"; filename="{n}"', b"x" * n) for n in (1, 1_500_000)]
    answer = await client.post("/v1/books/many", body=form(*parts), headers=HEADERS)
    assert [(book["filename"], book["size"]) for book in answer.json()["data"]] == [("1", 1), ("1500000", 1_500_000)]


async def test_what_is_packed_is_refused_and_not_kept_as_it_came(client: Client, tmp_path: Path) -> None:
    packed = {"content-encoding": "gzip"}
    for answer in (
        await client.request("PUT", "/v1/books/b1", body=b"0123", headers=packed),
        await client.post("/v1/books", body=form(PURPOSE, FILE), headers={**HEADERS, **packed}),
    ):
        assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
        assert "`content-encoding: gzip`" in answer.error["message"]
    assert kept(tmp_path) == []


async def test_json_is_no_form(client: Client) -> None:
    answer = await client.post("/v1/books", {"purpose": "x"})
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(client: Client, tmp_path: Path) -> None:
    begun = form(PURPOSE, ('form-data; name="file"; filename="x"', b"x" * 100_000))[:-1000]
    call = client.call("POST", "/v1/books", body=[begun], headers=HEADERS, is_whole=False)
    async with asyncio.timeout(10):
        while not kept(tmp_path):
            await asyncio.sleep(0)
    await call.leave()
    assert kept(tmp_path) == []


@pytest.mark.parametrize("pieces", [1, 2], ids=["a whole file", "a part of it"])
async def test_a_client_that_leaves_before_its_file_is_read_ends_the_call(served: Served, pieces: int) -> None:
    shelf: Shelf = adapter_of(served.stack, "shelves")
    shelf.may_read.clear()
    call = served.client.call("PUT", "/v1/books/b1", body=[b"01234"], is_whole=pieces == 1)
    async with asyncio.timeout(10):
        await shelf.asked.wait()
    await call.leave()
    assert shelf.left.is_set()


async def test_what_arrives_while_nobody_reads_is_there_when_somebody_does(served: Served) -> None:
    shelf: Shelf = adapter_of(served.stack, "shelves")
    shelf.may_read.clear()
    call = served.client.call("PUT", "/v1/books/b1", body=[b"%d" % n for n in range(10)])
    async with asyncio.timeout(10):
        await shelf.asked.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    shelf.may_read.set()
    assert (await call.start())[0] == 200
    await call.rest()
    assert (await served.client.get("/v1/books/b1/content")).body == b"0123456789"


async def test_bytes_are_taken_as_they_are(client: Client) -> None:
    assert (await client.request("PUT", "/v1/books/b1", body=b"0123456789")).json()["size"] == 10
    assert (await client.get("/v1/books/b1/content")).body == b"0123456789"


@pytest.mark.parametrize(
    ("range_", "status", "body", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=5-1" + "0" * 5000, 206, b"56789", "bytes 5-9/10"),
        ("Bytes = 000000000000000000000001 - 2 ,", 206, b"12", "bytes 1-2/10"),
        ("bytes=1-2,4-5", 200, b"0123456789", None),
        ("bytes=1-2,99-", 200, b"0123456789", None),
        ("bytes=" + "0-," * 10_000, 200, b"0123456789", None),
    ],
)
async def test_a_range_of_a_file(
    client: Client, range_: str, status: int, body: bytes, content_range: str | None
) -> None:
    await client.request("PUT", "/v1/books/b1", body=b"0123456789")
    answer = await client.get("/v1/books/b1/content", headers={"range": range_})
    assert (answer.status, answer.body, answer.headers.get("content-range")) == (status, body, content_range)
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"_ber _alles_.txt\"; filename*=UTF-8''%C3%9Cber%20%22alles%22.txt"
    )


@pytest.mark.parametrize(
    "range_", ["", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=abc", "bytes=4-2", "bytes=1-2,4-2", "lines=1-2"]
)
async def test_what_is_no_range_is_a_400_that_names_it(client: Client, range_: str) -> None:
    """A whole file in place of a part would be taken for the part."""
    await client.request("PUT", "/v1/books/b1", body=b"0123456789")
    answer = await client.get("/v1/books/b1/content", headers={"range": range_})
    assert (answer.status, answer.error["param"]) == (400, "range")
    assert range_ in answer.error["message"] and "bytes=500-" in answer.error["message"]
    changed = {"range": range_, "if-range": '"older"'}
    assert (await client.get("/v1/books/b1/content", headers=changed)).body == b"0123456789"


@pytest.mark.parametrize("range_", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=9" + "9" * 5000 + "-,10-"])
async def test_a_range_behind_the_end_is_a_416(client: Client, range_: str) -> None:
    await client.request("PUT", "/v1/books/b1", body=b"0123456789")
    answer = await client.get("/v1/books/b1/content", headers={"range": range_})
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */10")
    assert answer.error["param"] == "range"


async def test_a_range_of_what_has_changed_is_the_whole(client: Client) -> None:
    await client.request("PUT", "/v1/books/b1", body=b"0123456789")
    for etag, status in (('"b1"', 206), ('"older"', 200)):
        answer = await client.get("/v1/books/b1/content", headers={"range": "bytes=2-4", "if-range": etag})
        assert answer.status == status
    answer = await client.get("/v1/books/b1/content", headers={"if-none-match": '"a", "b1"'})
    assert (answer.status, answer.body) == (304, b"")


async def test_head_reads_nothing(client: Client) -> None:
    await client.request("PUT", "/v1/books/b1", body=b"0123456789")
    for headers in ({}, {"range": "bytes=2-4"}):  # RFC 9110, 14.2: a range is one of a GET
        answer = await client.request("HEAD", "/v1/books/b1/content", headers=headers)
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, "10", b"")


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "has shrunk"])
async def test_a_download_that_breaks_off_is_no_whole_answer(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    async def half(path: Path, begin: int, end: int) -> AsyncIterator[bytes]:
        yield b"01234"
        if fails:
            raise OSError(5, "Input/output error")

    await served.client.request("PUT", "/v1/books/b1", body=b"0123456789")
    monkeypatch.setattr(shelves, "_part", half)
    async with listening(make_app(served.stack, hosts=[], starts_stack=False)) as door, door.connection() as connection:
        await connection.send(b"GET /v1/books/b1/content HTTP/1.1\r\nhost: localhost\r\nx-request-id: r1\r\n\r\n")
        head, _, body = (await connection.ended()).partition(b"\r\n\r\n")
    assert b"content-length: 10\r\n" in head and body == b"01234"
    [record] = [record for record in caplog.records if record.getMessage() == "an answer was cut off"]
    assert record.__dict__["error"] == ("OSError" if fails else "RuntimeError")
