"""The bridge from a program's pipe to `/mcp`: it outlives whatever the program says."""

from __future__ import annotations

import json

import pytest

from llama_cli.asking.mcp_bridge import Bridge

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
