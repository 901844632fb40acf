"""The variables of a command that `exec` runs, for each protocol that a server can have."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from llama_cli.asking.reach import KEY_VARIABLE
from llama_cli.clients._client import Protocol
from llama_cli.executing.environment import libraries, with_server

URL = "http://127.0.0.1:4711"
REAL = {
    **dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GEMINI_API_KEY"), "real"),
    **dict.fromkeys(("GOOGLE_API_KEY", "GROQ_API_KEY", "PATH"), "real"),
    **dict.fromkeys(("OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS", "GOOGLE_GENAI_USE_ENTERPRISE"), "real"),
}
NOT_OURS = {"GROQ_API_KEY", "PATH"}


def told(spoken: set[Protocol], base: Mapping[str, str] = REAL) -> dict[str, str]:
    return with_server(base, URL, libraries(), models={"e": "embedding", "m": "llm"}, spoken=spoken)


@pytest.mark.parametrize(
    ("protocol", "addresses", "keys"),
    [
        ("chat", {"OPENAI_BASE_URL": f"{URL}/v1"}, {"OPENAI_API_KEY", "OPENAI_CUSTOM_HEADERS"}),
        (
            "messages",
            {"ANTHROPIC_BASE_URL": URL},
            {"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS"},
        ),
        (
            "generate-content",
            {"GOOGLE_GEMINI_BASE_URL": URL},
            {"GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_ENTERPRISE"},
        ),
    ],
)
def test_a_library_is_told_where_the_server_speaks_its_protocol(
    protocol: Protocol, addresses: dict[str, str], keys: set[str]
) -> None:
    spoken = told({protocol})
    assert addresses.items() <= spoken.items()
    assert {spoken.get(key) for key in keys} <= {"none", None}, "a vendor's key goes to no server of ours"
    others = {key for key, value in spoken.items() if value == "real"}
    assert others == REAL.keys() - keys - {"OPENAI_API_KEY", "OPENAI_CUSTOM_HEADERS"} >= NOT_OURS, (
        "what does not ask us keeps its key"
    )


def test_nobody_is_sent_to_a_door_that_is_not_there() -> None:
    there = told(set())
    assert "OPENAI_BASE_URL" in there
    assert not {"ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"} & there.keys()


def test_a_server_that_wants_a_key_gets_ours() -> None:
    with_key = told({"chat", "messages"}, {**REAL, KEY_VARIABLE: "hush"})
    names = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LLAMA_STACK_CLIENT_API_KEY", "OGX_CLIENT_API_KEY"}
    assert {with_key[name] for name in names} == {"hush"}


def test_models_that_are_not_there_are_not_named() -> None:
    base = {"LLAMA_STACK_MODEL": "of another stack", "LLAMA_STACK_EMBEDDING_MODEL": "likewise"}
    assert told(set(), base)["LLAMA_STACK_EMBEDDING_MODEL"] == "e"
    none = with_server(base, URL, libraries(), models={}, spoken=set())
    assert not {"LLAMA_STACK_MODEL", "LLAMA_STACK_EMBEDDING_MODEL"} & none.keys()


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ({}, None),
        ({"NO_PROXY": "a.b"}, "a.b"),
        ({"https_proxy": "http://p:1"}, None),
        ({"http_proxy": "http://p:1"}, "127.0.0.1,localhost"),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "a.b,localhost"}, "a.b,localhost,127.0.0.1"),
    ],
)
def test_no_proxy_stands_between(base: dict[str, str], expected: str | None) -> None:
    found = told(set(), base)
    assert found.get("NO_PROXY") == expected or found.get("no_proxy") == expected
    if "localhost" in (expected or ""):
        assert found["NO_PROXY"] == found["no_proxy"]
