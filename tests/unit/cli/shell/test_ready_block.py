"""What is said once a server answers: never more than a person reads, and nothing that harms when it is pasted."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from llama_cli.servers import ready, records
from llama_cli.servers.ready import announce
from llama_cli.servers.ready_block import ready_block, ready_line
from llama_cli.servers.records import Record
from llama_cli.terminal import console


@pytest.fixture
def record() -> Record:
    return Record(id="starter", name="starter", state="ready", url="http://127.0.0.1:1", path=Path("/r"), alive=True)


@pytest.fixture(autouse=True)
def columns_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def of(count: int, name: str) -> list[str]:
    return [f"{name}-{number}" for number in range(count)]


def off(count: int) -> list[dict[str, object]]:
    return [{"provider_type": f"remote::{name}", "variables": [f"{name}_KEY"]} for name in of(count, "vendor")]


CHATS = {"meta-reference/SmolLM2-135M-Instruct": "llm", "sentence-transformers/all-MiniLM-L6-v2": "embedding"}


MODELS = ({}, CHATS, CHATS | dict.fromkeys(of(5500, "openai/m"), "llm"), {"x" * 300: "llm"})
DOWN = ({}, {"vllm": "it refuses " * 50}, dict.fromkeys(of(39, "vendor"), "gone"))


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"off": off(39), "loading": ["meta-reference"], "load_timeout_s": 300.0},
        {"state": "degraded", "reason": "its disk\nis full " * 20, "loading": of(40, "a-provider")},
        {"state": "degraded", "degraded": {"a": "of one reason\nin lines"}, "loading": ["b"], "settled": False},
        {"degraded": dict.fromkeys(of(25, "a-provider-with-a-name"), "gone"), "off": off(1), "settled": False},
        {"off": off(3), "options": {"inject": ["openai: 429 10%, slow 3s; " * 9, "*: 500 1%"], "inject_seed": 7}},
        {"id": "a-distribution-with-a-long-name-12", "off": off(39), "url": "http://[2001:db8::8a2e:370:7334]:48321"},
    ],
)
def test_twelve_lines_of_eighty_columns_whatever_is_served(record: Record, shape: dict[str, object]) -> None:
    record = replace(record, **shape)  # type: ignore[arg-type]
    for models, down, detached, is_alone in itertools.product(MODELS, DOWN, (True, False), (True, False)):
        lines = f"ready: {ready_block(record, models, down, detached=detached, is_alone=is_alone)}".splitlines()
        assert len(lines) <= 12, "\n".join(lines)
        assert max(map(len, lines)) <= 80, "\n".join(lines)
        labels = [line[2:10].strip() for line in lines[1:]]
        assert "models" in labels[:2] and labels[-3:] == ["docs", "logs", "stop"]


def test_faults_are_said_with_their_seed(record: Record) -> None:
    record = replace(record, options={"inject": ["openai: 429 10%", "*: slow 1s"], "inject_seed": None})
    assert "\n  faults   seed 0; openai: 429 10%; *: slow 1s\n" in ready_block(record, CHATS, {}, detached=False)
    assert ready_line(record, CHATS, {}).endswith(", 2 models, with injected faults")


def test_the_first_block_that_a_user_sees(record: Record) -> None:
    record = replace(record, url="http://127.0.0.1:8321", off=off(39), loading=["meta-reference"], load_timeout_s=300)
    assert ready_block(record, CHATS, {}, detached=False) == (
        "`starter` at http://127.0.0.1:8321\n"
        "  models   2: meta-reference/SmolLM2-135M-Instruct and 1 more\n"
        "  loading  meta-reference; requests wait for them, up to 300 s\n"
        '  try      llama chat "Hi"\n'
        "  curl 127.0.0.1:8321/v1/chat/completions -H content-type:application/json \\\n"
        '    -d \'{"model": "meta-reference/SmolLM2-135M-Instruct", "messages":\n'
        '    [{"role": "user", "content": "Hi"}], "max_completion_tokens": 100}\'\n'
        "  off      39 providers, listed by `llama stack show starter`\n"
        "  docs     http://127.0.0.1:8321/docs\n"
        "  logs     llama stack logs -f starter\n"
        "  stop     Ctrl-C"
    )


def test_names_are_counted_and_as_many_shown_as_fit(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    models = dict.fromkeys(of(5500, "m"), "llm")
    assert "  models   5500: m-0, m-1, m-2, m-3, m-4" in ready_block(record, models, {}, detached=True)
    assert "  models   a\n" in ready_block(record, {"a": "rerank"}, {}, detached=True)
    monkeypatch.setenv("COLUMNS", "120")
    text = ready_block(record, CHATS, {}, detached=True)
    assert f"  models   2: {', '.join(CHATS)}\n" in text


def test_a_count_stands_with_all_names_or_says_how_many_more(record: Record) -> None:
    record = replace(record, loading=["meta-reference", "sentence-transformers"], load_timeout_s=300)
    row = "  loading  2: meta-reference and 1 more; requests wait for them, up to 300 s\n"
    assert row in ready_block(record, CHATS, {}, detached=True)
    models = dict.fromkeys(["x" * 100, "y"], "llm")
    assert f"  models   2: {'x' * 54}\u2026 and 1 more\n" in ready_block(record, models, {}, detached=True)


def test_one_of_several_servers_is_named(record: Record) -> None:
    assert '  try      llama chat --url starter "Hi"\n' in ready_block(record, CHATS, {}, detached=True, is_alone=False)


@pytest.mark.parametrize("model", ["a/b", 'it\'s "odd" $HOME `id`', "caf\u00e9"])
@pytest.mark.parametrize("kind", ["llm", "embedding"])
def test_what_is_pasted_is_one_request(record: Record, model: str, kind: str) -> None:
    lines = ready_block(record, {model: kind}, {}, detached=True).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  curl "))
    end = next(number for number, line in enumerate(lines) if line.startswith("  docs "))
    pasted = "\n".join(lines[start:end]).replace("\\\n", "")  # as a shell does first
    curl, url, header, content, data, body = shlex.split(pasted)
    assert curl == "curl"
    assert url == f"127.0.0.1:1/v1/{'chat/completions' if kind == 'llm' else 'embeddings'}"
    assert (header, content, data) == ("-H", "content-type:application/json", "-d")
    assert json.loads(body)["model"] == model
    if kind == "llm":
        assert json.loads(body)["max_completion_tokens"] == 100


def test_without_a_model_that_answers_the_list_is_asked_for(record: Record) -> None:
    text = ready_block(record, {"rank": "rerank"}, {}, detached=True)
    assert "  curl 127.0.0.1:1/v1/models\n" in text and "  try " not in text


def test_the_only_failure_has_its_reason_and_many_are_counted(record: Record) -> None:
    text = ready_block(replace(record, degraded={"a": "its\nreason"}), {}, {"b": "gone"}, detached=True)
    assert "  degraded a: its reason\n  down     b: gone\n" in text
    text = ready_block(record, {}, dict.fromkeys(of(30, "v"), "gone"), detached=True)
    assert re.search(r"  down     30: v-0, v-1.* and \d+ more; `llama stack status starter` says why\n", text)


def test_one_line_for_other_programs(record: Record) -> None:
    assert ready_line(record, CHATS, {}) == "`starter` at http://127.0.0.1:1, 2 models"
    record = replace(record, degraded={"a": "gone"})
    assert ready_line(record, {"a": "llm"}, {"b": "x", "c": "y"}).endswith(
        ":1, 1 model, 1 degraded, 2 down; see `llama stack status starter`"
    )
    only = ready_line(replace(record, degraded={"a": "its\nreason."}), {}, {})
    assert only.endswith(":1, 0 models, 1 degraded: a: its reason; see `llama stack status starter`")


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
