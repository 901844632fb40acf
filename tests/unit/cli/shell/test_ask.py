"""Asking a server: which answer becomes which failure, and what of a stream is an event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import HTTPServer

import pytest

from llama_cli.asking import ask
from llama_cli.exits import Failure
from tests.support.small_server import SmallHandler, running
from tests.support.small_server import url_of as url


class Canned(HTTPServer):
    """Answers every request with `status` and `body`, and keeps what it was asked."""

    status = 200
    body = b"{}"
    missing = 0
    """How many bytes it promises and does not send."""
    asked: list[tuple[str, str, dict[str, str], bytes]]


class Handler(SmallHandler):
    server: Canned

    def do_GET(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), data))
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.body) + self.server.missing))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_POST = do_GET


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canned]:
    monkeypatch.delenv(ask.KEY_VARIABLE, raising=False)
    with running(Canned(("127.0.0.1", 0), Handler)) as canned:
        canned.asked = []
        yield canned


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_an_address_may_end_as_clients_write_it(end: str, server: Canned) -> None:
    assert ask.get(url(server) + end, "/v1/models") == {}
    assert ask.get(f"127.0.0.1:{server.server_port}{end}", "/v1/models") == {}
    assert [path for _, path, *_ in server.asked] == ["/v1/models", "/v1/models"]


def test_a_key_goes_along_only_when_it_is_ours(server: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the vendor's")
    ask.get(url(server), "/v1/models")
    monkeypatch.setenv(ask.KEY_VARIABLE, "ours")
    ask.get(url(server), "/v1/models")
    assert [headers.get("authorization") for _, _, headers, _ in server.asked] == [None, "Bearer ours"]


def test_a_body_is_posted(server: Canned) -> None:
    with ask.request(url(server), "/v1/chat/completions", {"a": "ä"}) as answer:
        assert answer.read() == b"{}"
    method, path, headers, data = server.asked[0]
    assert (method, path, json.loads(data)) == ("POST", "/v1/chat/completions", {"a": "ä"})
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "body", "code", "message", "hint"),
    [
        (404, {"error": {"message": "no `x`\nhint: try y"}}, 1, "no `x`", "try y"),
        (400, {"error": {"message": "too long"}}, 1, "too long", None),
        (409, {"error": {"message": "is taken"}}, 5, "is taken", None),
        (429, {"error": {"message": "slowly", "type": "rate_limit_error"}}, 6, "slowly", None),
        (401, {"error": {"message": "no key"}}, 4, "no key", "set `LLAMA_STACK_API_KEY`"),
        (403, {"error": {"message": "not yours"}}, 4, "not yours", "set `LLAMA_STACK_API_KEY`"),
        (503, {"error": {"message": "still loading"}}, 7, "still loading", None),
        (503, {"error": {"message": "not reached", "type": "upstream_error"}}, 6, "not reached", None),
        (502, {"error": {"message": "the vendor failed"}}, 6, "the vendor failed", None),
        (501, {"error": {"message": "no such tool"}}, 1, "no such tool", None),
        (422, {"error": "in words"}, 1, "in words", None),
        (500, "<html>oops</html>", 6, "the server answered 500 Internal Server Error: <html>oops</html>", None),
        (
            404, "<html>\n  <p>Not\n there</p>\n</html>", 1,
            "the server answered 404 Not Found: <html> <p>Not there</p> </html>",
            "is it a server of Llama Stack? `llama stack ps` lists those that run here",
        ),
        (418, "", 1, "the server answered 418 I'm a Teapot", None),
    ],
)  # fmt: skip
def test_a_refusal(status: int, body: object, code: int, message: str, hint: str | None, server: Canned) -> None:
    server.status = status
    server.body = (body if isinstance(body, str) else json.dumps(body)).encode()
    with pytest.raises(Failure) as raised:
        ask.get(url(server), "/v1/models")
    assert (raised.value.code, raised.value.message, raised.value.hint) == (code, message, hint)


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1", "http://", "http://127.0.0.1:abc", "http://[::1", "127.0.0.1:99999"]
)
def test_what_is_no_address_is_usage(address: str) -> None:
    with pytest.raises(Failure) as raised:
        ask.get(address, "/v1/models")
    assert (raised.value.code, raised.value.message) == (2, f"`{address}` is not the address of a server")


def test_an_answer_that_breaks_off_is_the_networks(server: Canned) -> None:
    server.missing = 5
    with ask.request(url(server), "/v1/models") as answer, pytest.raises(Failure) as raised:
        answer.read()
    assert raised.value.code == 6
    assert raised.value.message.startswith(f"{url(server)} stopped in the middle of an answer")
    assert "IncompleteRead" not in raised.value.message


def test_what_a_reader_meets_elsewhere_is_not_blamed_on_the_server(server: Canned) -> None:
    with pytest.raises(BrokenPipeError), ask.request(url(server), "/v1/models") as answer:
        answer.read()
        raise BrokenPipeError(32, "Broken pipe")


def test_events_of_a_stream(server: Canned) -> None:
    server.body = (
        b': comment\ndata: {"a": 1}\n\nevent: x\ndata:{"b":\ndata: 2}\r\n\r\ndata: [DONE]\n\ndata: {"never": 1}\n\n'
    )
    with ask.request(url(server), "/v1/stream") as answer:
        assert list(ask.events(answer)) == [{"a": 1}, {"b": 2}]


def test_an_error_in_a_stream_fails(server: Canned) -> None:
    server.body = b'data: {"a": 1}\n\ndata: {"error": {"message": "broke"}}\n\n'
    with ask.request(url(server), "/v1/stream") as answer:
        events = ask.events(answer)
        assert next(events) == {"a": 1}
        with pytest.raises(Failure, match="broke"):
            next(events)


def test_what_does_not_answer_is_reported_in_the_system_s_words(server: Canned, unused_tcp_port: int) -> None:
    with pytest.raises(Failure) as refused:
        ask.get(f"http://127.0.0.1:{unused_tcp_port}", "/v1/models")
    assert refused.value.message.endswith(": Connection refused")
    with pytest.raises(Failure) as plain:
        ask.get(url(server).replace("http:", "https:"), "/v1/models")
    assert "`http://`" in str(plain.value.hint)


def test_an_error_among_facts_is_one_of_them(server: Canned) -> None:
    """A run of an evaluation says why it failed, and is no failure of whoever asks for it."""
    facts = {"job_id": "1", "status": "failed", "error": "the dataset is gone"}
    server.body = json.dumps(facts).encode()
    assert ask.get(url(server), "/v1alpha/eval/benchmarks/a/jobs/1") == facts
    for refused in ({"error": "it failed"}, {"id": "1", "error": {"message": "it failed"}}):
        server.body = json.dumps(refused).encode()
        with pytest.raises(Failure, match="it failed"):
            ask.get(url(server), "/v1/models")
