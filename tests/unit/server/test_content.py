"""What bodies may come as: packed, marked, in another charset, under another content type."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.server import served as handlers
from tests.support.house import furnish, probe_spec

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAME = "ü €"
TEXT = json.dumps({"name": NAME}, ensure_ascii=False)
RAW = TEXT.encode()
PATHS = ["/v1/things/a", "/v1/chat/completions"]
"""One route whose fields come from path and body, one with its body alone."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    providers = {"probe": [{"provider_id": "p", "provider_type": "inline::prober"}], "inference": []}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handlers, "MAX_BODY_BYTES", 100_000)
        furnish(patch, [probe_spec()])
        run = run_config(providers=providers)
        async with serving(run, tmp_path_factory.mktemp("state")) as running:
            yield running.client


def bare_deflate(data: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(data) + packing.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(RAW)),
        ("X-GZip", gzip.compress(RAW)),
        ("deflate", zlib.compress(RAW)),
        ("deflate", bare_deflate(RAW)),
        ("identity", RAW),
    ],
    ids=["gzip", "x-gzip", "deflate", "bare deflate", "identity"],
)
async def test_a_packed_body_is_unpacked(client: Client, coding: str, body: bytes) -> None:
    answer = await client.request("POST", "/v1/things/a", body=body, headers={"content-encoding": coding})
    assert answer.json()["given"]["name"] == NAME


async def test_a_packed_body_is_sent_on_unpacked(client: Client) -> None:
    """The bytes beside a request are JSON, whatever came."""
    body = gzip.compress(b'{"model": "nobody", "messages": [{"role": "user", "content": "hi"}]}')
    answer = await client.request("POST", "/v1/chat/completions", body=body, headers={"content-encoding": "gzip"})
    assert "`nobody`" in answer.error["message"]


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "", "\x1b[31m"])
@pytest.mark.parametrize("path", PATHS)
async def test_another_coding_is_a_415_that_says_which_are_read(client: Client, path: str, coding: str) -> None:
    answer = await client.request("POST", path, body=RAW, headers={"content-encoding": coding})
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "gzip, deflate")
    assert "\x1b" not in answer.error["message"]


@pytest.mark.parametrize(
    "body",
    [RAW, gzip.compress(RAW)[:-9], gzip.compress(RAW) + b"x", gzip.compress(RAW) * 2, b"\x1f", b"\x1f\x8b" + b"x" * 30],
    ids=["plain", "cut", "more", "twice", "a byte", "noise"],
)
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_broken_package_is_a_400(client: Client, coding: str, body: bytes) -> None:
    answer = await client.request("POST", "/v1/tell", body=body, headers={"content-encoding": coding})
    assert answer.status == 400
    assert coding in answer.error["message"]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bare_deflate])
async def test_a_bomb_is_a_413(client: Client, pack: Any) -> None:
    coding = "gzip" if pack is gzip.compress else "deflate"
    bomb = pack(b" " * 10_000_000)
    assert len(bomb) < 20_000
    answer = await client.request("POST", "/v1/tell", body=bomb, headers={"content-encoding": coding})
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


async def test_a_coding_of_no_body_is_nothing(client: Client) -> None:
    for method, path in (("GET", "/v1/things/a"), ("POST", "/v1/tell")):
        assert (await client.request(method, path, headers={"content-encoding": "br"})).status == 200


async def test_a_byte_order_mark_is_passed_over(client: Client) -> None:
    answer = await client.request("POST", "/v1/things/a", body=b"\xef\xbb\xbf" + RAW)
    assert answer.json()["given"]["name"] == NAME


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("is_said", [True, False])
@pytest.mark.parametrize("path", PATHS)
async def test_wide_characters_are_a_415(client: Client, path: str, charset: str, is_said: bool) -> None:
    headers = {"content-type": f"application/json; charset={charset}" if is_said else "application/json"}
    answer = await client.request("POST", path, body=TEXT.encode(charset), headers=headers)
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
    assert "UTF-8" in answer.error["message"]


KINDS = """
    application/json;charset=utf-8 application/json;charset="UTF-8" text/json;CHARSET=utf8 nonsense charset= ÿ
    application/x-www-form-urlencoded text/plain application/merge-patch+json
"""


@pytest.mark.parametrize("kind", ["", "application/json; charset = utf-8", *KINDS.split()])
async def test_json_is_read_whatever_it_is_called(client: Client, kind: str) -> None:
    """`curl -d` calls it a form."""
    answer = await client.request("POST", "/v1/things/a", body=RAW, headers={"content-type": kind})
    assert answer.json()["given"]["name"] == NAME


async def test_another_charset_is_a_415_where_it_makes_a_difference(client: Client) -> None:
    headers = {"content-type": "application/json; charset=ISO-8859-1"}  # Apache's HttpClient says so unless told
    answer = await client.request("POST", "/v1/things/a", body='{"name": "ü"}'.encode("latin-1"), headers=headers)
    assert answer.status == 415 and "`ISO-8859-1`" in answer.error["message"]
    assert (await client.request("POST", "/v1/things/a", body=b'{"name": "u"}', headers=headers)).status == 201


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_no_json_is_told_how_it_came(client: Client, path: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await client.request("POST", path, body=b"model=m&messages=hi", headers=headers)
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
    assert "application/x-www-form-urlencoded" in answer.error["message"]
