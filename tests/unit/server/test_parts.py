"""Forms are cut the same way however they arrive, and what passes the library by is what it would have found."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable

import pytest
from multipart import MultipartSegment, PushMultipartParser

from runtime.conformance.form import field, file, form
from runtime.errors import RequestError
from runtime.server import parts
from runtime.server.incoming import Incoming
from runtime.server.parts import parts_of

BOUNDARY = "cut"
NEARLY = [b"\r", b"\n", b"\r\n", b"\r\n-", b"\r\n--", b"\r\n--c", b"\r\n--cu", b"cu", b"x" * 40, b"\0"]


def incoming(chunks: list[bytes]) -> Incoming:
    waiting = [{"type": "http.request", "body": one, "more_body": True} for one in chunks]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict[str, object]:
        return waiting.pop(0)

    return Incoming({}, receive, limit=10_000_000)  # type: ignore[arg-type]  # messages are dicts


async def contents(found: AsyncIterator[MultipartSegment | bytes | bytearray | None]) -> list[tuple[str, bytes]]:
    """The name and the contents of each part."""
    given: list[tuple[str, bytes]] = []
    async for one in found:
        if isinstance(one, MultipartSegment):
            given.append((one.name, b""))
        elif one is not None:
            given[-1] = (given[-1][0], given[-1][1] + one)
    return given


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("filename=\"=?utf-8?B?w6kudHh0?=\"; filename*=utf-8''%C3%A9%20a.txt", "é a.txt"),
        ("filename*=UTF-8'de'%E2%82%AC.txt", "€.txt"),
        ("filename*=iso-8859-1''%E9.txt; filename=e.txt", "é.txt"),
        ("filename*=x-unknown''%E9.txt; filename=e.txt", "e.txt"),
        ('filename="a\\"b.txt"', 'a"b.txt'),
        ('filename="a%22b.txt"', 'a"b.txt'),
        ('filename="é.txt"', "é.txt"),
    ],
)
async def test_a_file_s_name_is_read_in_every_form_that_clients_send(said: str, name: str) -> None:
    body = form(file(b"hi", name="file", filename="NAME")).replace(b'filename="NAME"', said.encode())
    found = [one async for one in parts_of(incoming([body]), BOUNDARY) if isinstance(one, MultipartSegment)]
    assert [one.filename for one in found] == [name]


@pytest.mark.parametrize("seed", range(200))
@pytest.mark.parametrize("search", [parts._search, None], ids=["C", "Python"])
async def test_a_form_is_cut_the_same_however_it_arrives(
    seed: int, search: Callable[..., int | None] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_search", search)
    chance = random.Random(seed)
    sent = [(f"part{n}", b"".join(chance.choices(NEARLY, k=chance.randrange(60)))) for n in range(4)]
    whole = form(*(file(body, name=name) for name, body in sent))
    most = chance.choice([20, 60, 300])
    chunks, at = [], 0
    while at < len(whole):
        chunks.append(whole[at : at + chance.randrange(1, most)])
        at += len(chunks[-1])
    assert await contents(parts_of(incoming(chunks), BOUNDARY)) == sent


@pytest.mark.parametrize("split", range(1, 9))
async def test_a_delimiter_in_two_pieces_is_found(split: int) -> None:
    head, end = form(file(b"a" * 5000)).rsplit(b"\r\n--cut--", 1)
    delimiter = b"\r\n--cut--"
    chunks = [head[:1000], head[1000:] + delimiter[:split], delimiter[split:] + end]
    assert await contents(parts_of(incoming(chunks), BOUNDARY)) == [("file", b"a" * 5000)]


async def test_an_end_in_three_pieces_is_found() -> None:
    """The second is as long as a whole delimiter, and the third looks like contents."""
    whole = form(file(b"a" * 50)) + b"what follows the end has no meaning"
    at = whole.rindex(b"\r\n--cut--")
    chunks = [whole[: at + 1], whole[at + 1 : at + 8], whole[at + 8 :]]
    assert await contents(parts_of(incoming(chunks), BOUNDARY)) == [("file", b"a" * 50)]


async def test_long_contents_pass_the_library_by(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    real = PushMultipartParser.parse
    monkeypatch.setattr(PushMultipartParser, "parse", lambda self, data: parsed.append(data) or real(self, data))
    whole = form(field("purpose", "vision"), file(b"a" * 1_000_000))
    chunks = [whole[at : at + 100_000] for at in range(0, len(whole), 100_000)]
    assert (await contents(parts_of(incoming(chunks), BOUNDARY)))[1] == ("file", b"a" * 1_000_000)
    assert [bytes(one) for one in parsed] == [chunks[0], b"\r\n--cut--\r\n"], "what has a head, and the end"


@pytest.mark.parametrize(("announced", "is_right"), [(300_000, True), (200_000, False), (400_000, False)])
async def test_a_part_that_says_how_long_it_is_must_be_so(announced: int, is_right: bool) -> None:
    whole = form(file(b"a" * 300_000)).replace(b"\r\n\r\n", b"\r\ncontent-length: %d\r\n\r\n" % announced, 1)
    chunks = [whole[at : at + 100_000] for at in range(0, len(whole), 100_000)]
    found = contents(parts_of(incoming(chunks), BOUNDARY))
    if is_right:
        assert await found == [("file", b"a" * 300_000)]
    else:
        with pytest.raises(RequestError, match="Content-Length"):
            await found


async def test_a_boundary_longer_than_is_allowed_is_searched_by_the_library_alone() -> None:
    boundary = "b" * 5000
    whole = form(file(b"a" * 300_000)).replace(b"--cut", b"--" + boundary.encode())
    chunks = [whole[at : at + 100_000] for at in range(0, len(whole), 100_000)]
    assert await contents(parts_of(incoming(chunks), boundary)) == [("file", b"a" * 300_000)]


async def test_a_name_that_is_not_utf8_is_told_without_the_library_s_exception() -> None:
    head = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="\xff\xfe"\r\n\r\nx\r\n--cut--\r\n'
    with pytest.raises(RequestError) as raised:
        await contents(parts_of(incoming([head]), BOUNDARY))
    assert raised.value.message == "The form cannot be read: Segment header failed to decode"
