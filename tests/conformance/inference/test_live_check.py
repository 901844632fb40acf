"""How `scripts/provider_live_check` finds vendors, keys and models; the vendors are local servers here."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, upstream_server
from runtime.spec import Spec
from tests.conformance.inference.at_vendor import SPECS
from tests.conformance.inference.subject import kinds_of
from tests.conformance.inference.subjects import _live

FEW = frozenset({"chat"})


def live(monkeypatch: pytest.MonkeyPatch, name: str, **variables: str) -> Spec:
    """The vendor's spec, with these variables in the environment."""
    monkeypatch.setenv("LIVE_PROVIDERS", name)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return SPECS[name]


def test_only_what_is_named_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = live(monkeypatch, "groq", GROQ_API_KEY="sk", COHERE_API_KEY="sk")
    assert "live" in kinds_of(spec) and "live" not in kinds_of(SPECS["cohere"])
    assert _live.plan(SPECS.values()) == ["asked: groq"]
    monkeypatch.setenv("LIVE_PROVIDERS", "all")
    assert "live" in kinds_of(SPECS["cohere"])
    monkeypatch.delenv("LIVE_PROVIDERS")
    assert "live" not in kinds_of(spec) and _live.plan(SPECS.values()) == []


def test_a_vendor_without_its_variable_is_not_asked_which_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    assert "live" not in kinds_of(live(monkeypatch, "groq"))
    assert _live.plan(SPECS.values()) == ["asked: nobody", "not asked: groq, since GROQ_API_KEY is not set"]


def test_a_vendor_with_a_protocol_of_its_own_is_asked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = live(monkeypatch, "bedrock", AWS_BEARER_TOKEN_BEDROCK="key")
    assert "live" in kinds_of(spec) and _live.plan(SPECS.values()) == ["asked: bedrock"]


def test_a_name_that_no_vendor_has_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    live(monkeypatch, "groq")
    monkeypatch.setenv("LIVE_PROVIDERS", "groq grok")
    with pytest.raises(pytest.UsageError, match=r"there is no vendor `grok`; .*`groq`"):
        _live.plan(SPECS.values())


async def test_a_vendor_that_refuses_the_key_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with upstream_server() as upstream:
        upstream.key = "sk-live"
        spec = live(monkeypatch, "nebius", NEBIUS_API_KEY="sk-wrong", NEBIUS_BASE_URL=upstream.url)
        with pytest.raises(pytest.fail.Exception, match=r"`nebius` does not serve: .*was not accepted"):
            async with _live.kind(spec, FEW).make(tmp_path, request):
                pass


async def test_models_are_small_ones_of_the_list(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with upstream_server() as upstream:
        upstream.key = "sk-live"
        upstream.models = ["huge-70b", CHAT_MODEL, "first-embedding", EMBEDDING_MODEL]
        spec = live(monkeypatch, "nebius", NEBIUS_API_KEY="sk-live", NEBIUS_BASE_URL=upstream.url)
        async with _live.kind(spec, FEW).make(tmp_path, request) as subject:
            assert (subject.chat, subject.embedding) == (f"nebius/{CHAT_MODEL}", f"nebius/{EMBEDDING_MODEL}")
        live(monkeypatch, "nebius", NEBIUS_CHAT_MODEL="huge-70b")
        async with _live.kind(spec, FEW).make(tmp_path, request) as subject:
            assert subject.chat == "nebius/huge-70b"


async def test_a_vendor_without_a_list_needs_the_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with upstream_server() as upstream:
        names = {"VOYAGE_EMBEDDING_MODEL": EMBEDDING_MODEL}
        spec = live(monkeypatch, "voyage", VOYAGE_API_KEY="sk", VOYAGE_BASE_URL=upstream.url, **names)
        async with _live.kind(spec, FEW).make(tmp_path, request) as subject:
            assert "set VOYAGE_RERANK_MODEL" in subject.lacks["rerank"] and "embeddings" not in subject.lacks
        monkeypatch.setenv("VOYAGE_RERANK_MODEL", RERANK_MODEL)
        async with _live.kind(spec, FEW).make(tmp_path, request) as subject:
            assert "rerank" not in subject.lacks
            assert (subject.embedding, subject.reranker) == (f"voyage/{EMBEDDING_MODEL}", f"voyage/{RERANK_MODEL}")
