"""Whatever comes in is answered: never with a 500, always in our shape, always with an id, and always at once.

Requests are put together from what has broken servers before, at random but the same in every run.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from tests.support.house import furnish, probe_spec
from tests.support.stacks import openai_at

fuzzed = settings(
    max_examples=200,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
LIMIT_S = 5.0

TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "a/b", "..", "\x00", "\x1b[31m", "a\r\nb: c", "\u202e", "😀", "%ff", "%", "x" * 30_000, "{a}"]
    ),
)
NUMBER = st.one_of(
    st.integers(), st.floats(), st.sampled_from([2**31, 2**63, 2**64, 10**400, float("nan"), float("inf"), -0.0])
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBER, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)

# Heads

ODD: dict[str, list[bytes]] = {
    "host": [b"", b"[::1", b"[", b"a:b", b"a@b", b"\xff", b"localhost:99999", b"evil.test", b"a" * 5000, b"[::1%25lo]"],
    "origin": [b"", b"null", b"http://[", b"http://", b"://", b"http://localhost:x", b"\xff", b"https://a.test, null"],
    "content-type": [
        b"",
        b"\xff",
        b"charset=\xff",
        b"application/json; charset=utf-16",
        b"multipart/form-data",
        b";;=",
    ],
    "content-encoding": [b"", b"gzip", b"deflate", b"br", b"gzip, gzip", b"\xff"],
    "content-length": [b"", b"x", b"-1", b"9" * 5000, b"\xb2", b"0"],
    "x-request-id": [b"", b"\x00", b"\xff", b"a\r\nb: c", b"x" * 5000],
    "x-llamastack-provider-data": [b"", b"{", b"[" * 5000, b"null", b'{"vendor_api_key": 5}', b'{"a": "\xff"}', b"{}"],
    "x-ogx-provider-data": [b"{}", b"\x00", b'{"vendor_api_key": "\\ud800"}'],
    "cookie": [b"", b"\xff=;;", b"=", b'a="\\777"'],
    "user-agent": [b"Mozilla/5.0", b"\xff"],
    "access-control-request-method": [b"", b"POST", b"\xff"],
    "x-llamastack-client-version": [b"", b"\xff", b"0.5.0"],
    "accept": [b"", b"*", b"text/html;q=x", b"\xff"],
    "transfer-encoding": [b"chunked", b"\xff"],
}
ODD_HEADERS = [(name, value) for name, values in ODD.items() for value in values]
HEADERS = st.lists(st.sampled_from(ODD_HEADERS), min_size=1, max_size=2).map(dict)
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"])


def quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))


PART = st.one_of(TEXT.map(quoted), st.text("abc/.%2[]{}:*~;=&+0", max_size=8))
PATHS = st.builds(
    str.replace,
    st.sampled_from(["/v1/things/@", "/v1/models/@", "/v1/providers/@", "/v1/things/@/@", "/@", "@", "/v1/health@"]),
    st.just("@"),
    PART,
)
QUERIES = st.lists(
    st.builds("{}={}".format, st.one_of(PART, st.sampled_from(["count", "tags", "tags[]", "deep", "thing_id"])), PART),
    max_size=4,
).map("&".join)

# Bodies

CHAT = {
    "model": "vendor/x", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "n": 1, "seed": 1,
    "temperature": 1, "stop": ["x"], "logit_bias": {"1": 1}, "stream": False, "tools": [], "max_tokens": 5,
    "stream_options": {"include_usage": True}, "response_format": {"type": "text"},
}  # fmt: skip
GOOD = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "vendor/x", "prompt": "hi", "echo": False, "suffix": "x", "logprobs": 1},
    "/v1/embeddings": {"model": "vendor/x", "input": ["a"], "encoding_format": "float", "dimensions": 3},
    "/v1/things/a": {"name": "n", "size": 1},
    "/v1/tell": {"events": 1},
}


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def few_events(changed: dict[str, Any]) -> dict[str, Any]:
    """The prober tells as many as it is asked for, and this client reads them all."""
    count = changed.get("events")
    return changed | {"events": 1000} if isinstance(count, int | float) and count > 1000 else changed


@st.composite
def posts(draw: st.DrawFn) -> tuple[str, bytes]:
    """A route and a body: its own with some fields changed, another's, any JSON, or no JSON at all."""
    path, body = draw(st.sampled_from(sorted(GOOD.items())))
    changes = st.dictionaries(st.one_of(st.sampled_from(sorted(body)), TEXT), JSON, min_size=1, max_size=3)
    odd = [b"", b"\xef\xbb\xbf{}", b"[" * 2000, b'{"a":' * 500, b'{"a": "\\ud800"}', b'{"a": 1e999}', b"\x1f\x8b"]
    change = changes.map(lambda changed: as_bytes(body | few_events(changed)))
    return path, draw(
        st.one_of(change, change.map(gzip.compress), JSON.map(as_bytes), st.binary(max_size=30), st.sampled_from(odd))
    )


class Vendor:
    """Answers everything with the same, but for as many vectors as are asked for, and holds us to sending JSON."""

    status = 200
    proxy = ""
    headers: dict[str, str]
    data: list[dict[str, Any]]

    async def send(self, request: Outgoing, timeouts: Timeouts) -> Vendor:
        sent = json.loads(request.body or b"{}", parse_constant=pytest.fail)
        answer = Vendor()
        answer.headers = {"content-type": "text/event-stream" if sent.get("stream") else "application/json"}
        asked = sent.get("input")
        count = len(asked) if isinstance(asked, list) and not any(isinstance(one, int) for one in asked) else 1
        answer.data = [{"id": "x", "index": index, "embedding": [0.5]} for index in range(count)]
        return answer

    async def read(self) -> bytes:
        return json.dumps({"data": self.data, "choices": []}).encode()

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b'data: {"id": "x"}\n\ndata: [DONE]\n\n'

    async def close(self) -> None:
        pass


class Door:
    """A client of a stack that is served in a loop of its own: hypothesis does not await."""

    def __init__(self, runner: asyncio.Runner, client: Client) -> None:
        self._runner = runner
        self._client = client

    def ask(self, method: str, path: str, **facts: Any) -> None:
        answer = self._runner.run(asyncio.wait_for(self._client.request(method, path, **facts), LIMIT_S))
        assert answer.status not in (500, 502, 504), answer.body
        assert answer.headers["x-request-id"]
        if answer.status >= 400 and method != "HEAD":
            assert answer.error["message"] and len(answer.body) < 20_000


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    providers = {
        "probe": [{"provider_id": "p", "provider_type": "inline::prober"}],
        "inference": [openai_at("http://vendor.test")],
    }
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        furnish(patch, [probe_spec()])
        run = run_config(providers=providers)
        served = serving(run, tmp_path_factory.mktemp("state"), transport=lambda _: Vendor())
        yield Door(runner, runner.run(served.__aenter__()).client)
        runner.run(served.__aexit__(None, None, None))


@pytest.mark.parametrize(("name", "value"), ODD_HEADERS, ids=lambda part: repr(part)[:20])
def test_each_odd_header_is_answered(door: Door, name: str, value: bytes) -> None:
    door.ask("GET", "/v1/things/a", headers={name: value})
    door.ask("POST", "/v1/chat/completions", headers={name: value}, body=as_bytes(CHAT))


@fuzzed
@given(method=METHODS, path=PATHS, query=QUERIES)
def test_any_target_is_answered(door: Door, method: str, path: str, query: str) -> None:
    door.ask(method, f"{path}?{query}" if query else path)


@fuzzed
@given(post=posts())
def test_any_body_is_answered(door: Door, post: tuple[str, bytes]) -> None:
    path, body = post
    door.ask("POST", path, body=body, headers={"content-encoding": "gzip"} if body.startswith(b"\x1f\x8b") else {})


@fuzzed
@given(post=posts(), headers=HEADERS)
def test_any_body_under_any_headers_is_answered(door: Door, post: tuple[str, bytes], headers: dict[str, bytes]) -> None:
    path, body = post
    door.ask("POST", path, body=body, headers=headers)
