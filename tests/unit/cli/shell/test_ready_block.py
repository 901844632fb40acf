"""What is said once a server answers: never more than a person reads, and nothing that harms when it is pasted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llama_cli import console
from llama_cli.servers import ready, records
from llama_cli.servers.ready import announce, ready_block
from llama_cli.servers.records import Record


@pytest.fixture
def record() -> Record:
    return Record(id="starter", name="starter", state="ready", url="http://127.0.0.1:1", path=Path("/r"), alive=True)


def test_a_long_list_of_models_is_cut_and_counted(record: Record) -> None:
    models = {f"openai/model-{number}": "llm" for number in range(5500)}
    text = " ".join(ready_block(record, models, {}, detached=True).split())
    assert "openai/model-0, " in text and "and 5480 more" in text
    assert len(text) < 2000


def test_a_long_list_of_providers_that_are_off_is_cut_and_counted(record: Record) -> None:
    off = [{"provider_type": f"remote::v{place}", "variables": [f"V{place}_KEY"]} for place in range(30)]
    text = " ".join(ready_block(replace(record, off=off[:3]), {}, {}, detached=True).split())
    assert "off remote::v0: set V0_KEY; remote::v1: set V1_KEY; remote::v2: set V2_KEY logs" in text
    text = " ".join(ready_block(replace(record, off=off), {}, {}, detached=True).split())
    assert "remote::v2: set V2_KEY; and 27 more, which `llama stack show starter` lists logs" in text


def test_what_a_client_needs_is_no_variable_that_the_next_start_would_read(record: Record) -> None:
    text = ready_block(record, {"a/b": "llm"}, {}, detached=True)
    assert 'OpenAI(base_url="http://127.0.0.1:1/v1", api_key="none")' in text
    assert "export" not in text and "OPENAI_" not in text
    assert '"max_completion_tokens": 100' in text


@pytest.mark.parametrize(
    ("models", "path", "model"),
    [
        ({"emb": "embedding", "a/b": "llm"}, "chat/completions", "a/b"),
        ({"emb": "embedding"}, "embeddings", "emb"),
        ({"rank": "rerank"}, None, None),
    ],
)
def test_what_is_to_be_tried_works(record: Record, models: dict[str, str], path: str | None, model: str | None) -> None:
    text = ready_block(record, models, {}, detached=True)
    assert ("  try " in text) == (path is not None)
    if path is not None:
        assert f"/v1/{path} -H " in text and f'"model": "{model}"' in text


def test_why_there_is_no_model(record: Record) -> None:
    """Whoever has set a variable is not told to set one."""
    assert "set a provider's variable" in ready_block(record, {}, {}, detached=True)
    assert "set a provider's variable" not in ready_block(record, {}, {"vllm": "gone"}, detached=True)
    assert "still starting" in ready_block(replace(record, settled=False), {}, {}, detached=True)


def test_a_provider_that_is_degraded_meanwhile_is_named_once(
    record: Record, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    health = {"provider_id": "vllm", "provider_type": "remote::vllm", "status": "error", "message": "refused"}
    monkeypatch.setattr(ready, "provider_health", lambda *_, **__: [health, {**health, "provider_id": "ollama"}])
    monkeypatch.setattr(ready, "served_models", lambda *_, **__: {})
    monkeypatch.setattr(records, "read", lambda _: replace(record, state="degraded", degraded={"vllm": "refused"}))
    monkeypatch.setattr(console.settings, "json", True)
    announce(record, [], detached=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["degraded"], facts["down"]) == ({"vllm": "refused"}, {"ollama": "refused"})


def test_many_failures_are_counted(record: Record) -> None:
    down = {f"vendor-{number}": "cannot be reached" for number in range(30)}
    text = " ".join(ready_block(record, {}, down, detached=True).split())
    assert text.count("cannot be reached") == 5
    assert f"and 25 more, which `llama stack status {record.id}` lists" in text
