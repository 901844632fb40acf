"""The bridge from a program's pipe to `/mcp`: it outlives whatever the program says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import HTTPServer

import pytest

from llama_cli.asking.mcp_bridge import Bridge
from tests.support.small_server import SmallHandler, running, url_of

NOWHERE = "http://127.0.0.1:1"
VERSION = '{"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}'


@pytest.mark.parametrize(
    ("line", "id"),
    [
        ('{"jsonrpc": "2.0", "id": 1, "params": ' + VERSION + "}", 1),
        ('{"jsonrpc": "2.0", "id": 1, "method": 5, "params": ' + VERSION + "}", 1),
        ('{"jsonrpc": "2.0", "id": "\\ud800", "method": "tools/list"}', "\ud800"),
        ("[" * 100_000, None),
        ("[]", None),
    ],
)
def test_a_message_that_is_none_has_an_answer_and_the_next_one_too(line: str, id: object) -> None:
    said: list[str] = []
    Bridge(NOWHERE, said.append).run([line.encode(), b'{"jsonrpc": "2.0", "id": 2, "method": "initialize"}'])
    for one in said:
        one.encode()  # as a pipe has it
    assert sorted((json.loads(one)["id"] for one in said), key=str) == sorted([id, 2], key=str)
    assert all("error" in json.loads(one) for one in said)


class Server(HTTPServer):
    """Answers `initialize`, and accepts everything else without a word. versions: as each message states it. refused:
    what it says instead, with 400.
    """

    version = "2025-11-25"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.versions: list[str | None] = []
        self.refused: dict[str, object] | None = None


class Handler(SmallHandler):
    server: Server

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.versions.append(self.headers["mcp-protocol-version"])
        if message.get("method") == "initialize":
            result = {"protocolVersion": self.server.version}
            self.document({"jsonrpc": "2.0", "id": message["id"], "result": result})
        elif self.server.refused is not None:
            self.document(self.server.refused, status=400)
        else:
            self.answer(b"", status=202)


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server()) as started:
        yield started


@pytest.mark.parametrize("said", ['"result": {}', '"error": {"code": 1, "message": "no"}'])
def test_what_answers_the_server_has_no_answer(server: Server, said: str) -> None:
    told: list[str] = []
    Bridge(url_of(server), told.append).run([f'{{"jsonrpc": "2.0", "id": 7, {said}}}'.encode()])
    assert server.versions == [None]
    assert told == []


def test_what_the_server_cannot_take_as_an_answer_is_told_of_no_request_of_ours(server: Server) -> None:
    server.refused = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no such request"}}
    told: list[str] = []
    Bridge(url_of(server), told.append).run([b'{"jsonrpc": "2.0", "id": 7, "result": {}}'])
    assert [json.loads(one)["id"] for one in told] == [None]


@pytest.mark.parametrize("version", ["2025\r\nx: y", "\u2603", "2025-11-25"])
def test_a_version_that_no_header_holds_ends_nothing(server: Server, version: str) -> None:
    server.version = version
    told: list[str] = []
    lines = [b'{"jsonrpc": "2.0", "id": 1, "method": "initialize"}', b'{"jsonrpc": "2.0", "method": "x/y"}']
    Bridge(url_of(server), told.append).run(lines)
    assert [json.loads(one)["id"] for one in told] == [1]
    [_, stated] = server.versions
    assert stated is not None and (stated == version or stated.startswith("=?base64?"))
