"""`--tool`: what is named by it, and which credentials go where."""

from __future__ import annotations

import pytest

from llama_cli.conversation.mcp_tools import Allowed, McpTool, Tools, read
from llama_cli.exits import Failure


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTHORIZATION", "HEADERS"):
        monkeypatch.delenv(f"LLAMA_MCP_{name}", raising=False)


@pytest.mark.parametrize(
    ("given", "label", "facts"),
    [
        ("mcp:https://example.com/mcp", "example_com", {"server_url": "https://example.com/mcp"}),
        ("mcp:http://127.0.0.1:9/mcp?a=b", "mcp_127_0_0_1", {"server_url": "http://127.0.0.1:9/mcp?a=b"}),
        ("mcp:HTTPS://example.com", "example_com", {"server_url": "HTTPS://example.com"}),
        ("mcp:docs=https://example.com/mcp", "docs", {"server_url": "https://example.com/mcp"}),
        ("mcp:git-hub.v2", "git_hub_v2", {"connector_id": "git-hub.v2"}),
    ],
)
def test_a_tool_is_an_address_or_a_connector(given: str, label: str, facts: dict[str, str]) -> None:
    assert read([given]) == [McpTool(label=label, facts=facts)]


@pytest.mark.parametrize(
    "given",
    [
        *("", "mcp", "mcp:", "web", "https://example.com", "mcp:a b", "mcp:ftp://x", "mcp:=https://x.y"),
        *("mcp:1x=https://x.y", "mcp:https://", "mcp:https://[x", "mcp:https://me:pass-word@x.y"),
    ],
)
def test_what_is_no_tool_is_usage(given: str) -> None:
    with pytest.raises(Failure) as refused:
        read([given])
    assert refused.value.code == 2 and refused.value.hint and "pass-word" not in refused.value.message


def test_each_has_a_label_of_its_own() -> None:
    first = read(["mcp:https://x.y/a", "mcp:https://x.y/b"])
    assert [tool.label for tool in [*first, *read(["mcp:https://x.y/c"], beside=first)]] == ["x_y", "x_y_2", "x_y_3"]
    with pytest.raises(Failure, match="`x` is there twice"):
        read(["mcp:x=https://a.b", "mcp:x=https://c.d"])


def test_credentials_are_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MCP_AUTHORIZATION", "Bearer abc ")
    monkeypatch.setenv("LLAMA_MCP_HEADERS", '{"x-key": "1"}')
    [tool] = read(["mcp:https://x.y"])
    assert tool.facts == {"server_url": "https://x.y", "authorization": "abc", "headers": {"x-key": "1"}}
    for beside in ([tool], []):
        with pytest.raises(Failure) as refused:
            read(["mcp:a=https://a.b"] if beside else ["mcp:a=https://a.b", "mcp:b=https://c.d"], beside=beside)
        assert refused.value.code == 2 and "`LLAMA_MCP_AUTHORIZATION_A`" in (refused.value.hint or "")
    monkeypatch.delenv("LLAMA_MCP_AUTHORIZATION")
    monkeypatch.delenv("LLAMA_MCP_HEADERS")
    monkeypatch.setenv("LLAMA_MCP_AUTHORIZATION_MY_DOCS", "mine")
    first, second = read(["mcp:my-docs=https://a.b", "mcp:b=https://c.d"])
    assert (first.facts.get("authorization"), "authorization" in second.facts) == ("mine", False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LLAMA_MCP_AUTHORIZATION", "secret\nword"),
        ("LLAMA_MCP_AUTHORIZATION", "Bearer "),
        ("LLAMA_MCP_HEADERS", "secret"),
        ("LLAMA_MCP_HEADERS", '{"secret": 1}'),
        ("LLAMA_MCP_HEADERS", '["secret"]'),
    ],
)
def test_a_credential_that_cannot_be_sent_is_not_repeated(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Failure) as refused:
        read(["mcp:https://x.y"])
    assert refused.value.code == 4 and name in refused.value.message
    assert "secret" not in f"{refused.value.message} {refused.value.hint}"


def test_what_is_always_allowed_is_told_the_server() -> None:
    tools = Tools(read(["mcp:a=https://a.b", "mcp:b=https://c.d"]))
    assert [one["require_approval"] for one in tools.asked()] == ["always", "always"]
    tools.allowed.always["a"] = {"two", "one"}
    assert [one["require_approval"] for one in tools.asked()] == [{"never": ["one", "two"]}, "always"]
    assert Tools(tools.servers, Allowed(everything=True)).asked()[1] == {
        "type": "mcp", "server_label": "b", "require_approval": "never", "server_url": "https://c.d",
    }  # fmt: skip
