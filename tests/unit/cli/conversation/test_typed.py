"""What is typed: several lines, history, slash commands; on a terminal that can only take lines."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from llama_cli.conversation import history as history_module
from llama_cli.conversation.editor import Editor
from llama_cli.conversation.entry import Lines, is_open, meant
from llama_cli.conversation.history import History
from llama_cli.conversation.session import Session
from llama_cli.conversation.slash import Slash
from llama_cli.exits import Failure
from llama_cli.terminal import prompts


@pytest.mark.parametrize(
    ("text", "open_", "said"),
    [
        ("a", False, "a"),
        ('"""', True, '"""'),
        ('"""a\nb', True, '"""a\nb'),
        ('"""a\nb"""', False, "a\nb"),
        ('"""\na\n\nb\n"""', False, "a\n\nb"),
        ('say """x"""', False, 'say """x"""'),
    ],
)
def test_three_quotes(text: str, open_: bool, said: str) -> None:
    assert (is_open(text), meant(text)) == (open_, said)


@pytest.mark.parametrize(
    ("lines", "said", "kept"),
    [
        (["a"], "a", ["a"]),
        (["a\\", "b\\", "c"], "a\nb\nc", ["a\nb\nc"]),
        (['"""a', "b\\", 'c"""'], "a\nb\\\nc", ['"""a\nb\\\nc"""']),
        (["  "], "", []),
    ],
)
def test_lines_go_on(
    lines: list[str], said: str, kept: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(lines)
    monkeypatch.setattr(prompts, "ask", lambda _: next(left))
    history = History(tmp_path / "chat" / "history")
    assert meant(Lines(history).read()) == said
    assert ([*left], history.entries()) == ([], kept)


def test_history_is_private_bounded_and_forgiving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_MOST", 3)
    path = tmp_path / "chat" / "history"
    history = History(path)
    for number in range(8):
        history.add(f"line\n{number} é")
    history.add("x" * 100_000)
    with path.open("ab") as file:
        file.write(b"\xff{broken\n7\n")
    assert history.entries() == ["line\n5 é", "line\n6 é", "line\n7 é"]
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert len(path.read_bytes().splitlines()) == 3
    assert History(tmp_path / "no" / "such").entries() == []


def test_what_another_conversation_adds_while_the_file_is_made_small_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "_MOST", 2)
    path = tmp_path / "chat" / "history"
    for number in range(5):
        History(path).add(str(number))
    other = Thread(target=History(path).add, args=["late"], daemon=True)
    written = history_module.atomic_write

    def write(*arguments: Any) -> None:
        other.start()
        other.join(0.1)  # it waits for us: all that it could do unhindered, it has done by then
        written(*arguments)

    monkeypatch.setattr(history_module, "atomic_write", write)
    assert History(path).entries() == ["3", "4"]
    other.join(10)
    assert History(path).entries() == ["4", "late"]


@pytest.fixture
def slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slash:
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path / "home"))
    models = {"p/a": "llm", "p/b": "llm", "e": "embedding"}
    monkeypatch.setattr("llama_cli.conversation.models.served_models", lambda _: models)
    return Slash(Session(url="http://x", model="p/a"), [], Editor.KEYS)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_only_words_after_a_slash_are_commands(slash: Slash) -> None:
    assert not any(slash.obey(text) for text in ("hello", "/etc/passwd is what?", "a /help", "/a\nb", "//"))
    with pytest.raises(Failure) as unknown:
        slash.obey("/mdel x")
    assert unknown.value.hint == "did you mean `/model`?"
    with pytest.raises(Failure, match="needs a file"):
        slash.obey("/load")
    for end in ("/exit", "/quit", "/exit now"):
        with pytest.raises(EOFError):
            slash.obey(end)


def test_models_are_listed_and_switched(slash: Slash, capsys: pytest.CaptureFixture[str]) -> None:
    assert slash.obey("/model") and told(capsys) == "* p/a\n  p/b\n"
    assert slash.obey("/model b") and told(capsys) == "p/b answers now\n"
    for name in ("p/x", "e"):
        with pytest.raises(Failure) as refused:
            slash.obey(f"/model {name}")
        assert refused.value.hint == "it serves `p/a`, `p/b`" and slash._session.model == "p/b"


def test_a_conversation_goes_on_with_a_model_that_can(slash: Slash, tmp_path: Path) -> None:
    for before, now in (("p/b", "p/b"), ("e", "p/a"), ("gone", "p/a")):
        slash._session.model = "p/a"
        file = tmp_path / "talk.json"
        file.write_text(json.dumps({"model": before, "messages": []}))
        slash.obey(f"/load {file}")
        assert slash._session.model == now


def test_system_clear_save_and_load(slash: Slash, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    session = slash._session
    slash.obey("/system be brief")
    stopped = {"role": "assistant", "content": "yes", "interrupted": True}
    session.messages += [{"role": "user", "content": "hi"}, stopped]
    slash.obey(f"/save {tmp_path}/talk.json")
    slash.obey("/save")
    slash.obey("/clear")
    assert session.messages == [{"role": "system", "content": "be brief"}]
    slash.obey("/system -")
    assert session.messages == []
    told(capsys)
    slash.obey(f"/load {tmp_path}/talk.json")
    assert told(capsys) == "p/a answers; 1 question so far, the last: hi\n"
    assert session.messages[2] == stopped
    (kept,) = (tmp_path / "home" / "chat").glob("*.json")
    assert json.loads(kept.read_text()) == json.loads((tmp_path / "talk.json").read_text())


def test_what_is_saved_within_a_second_is_saved_twice(
    slash: Slash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_cli.conversation.saved.time", SimpleNamespace(strftime=lambda _: "now"))
    for text in ("one", "two", "three"):
        slash.obey(f"/system {text}")
        slash.obey("/save")
    kept = {file.name: json.loads(file.read_text()) for file in (tmp_path / "home" / "chat").glob("now*.json")}
    found = {name: document["messages"][0]["content"] for name, document in kept.items()}
    assert found == {"now.json": "one", "now-2.json": "two", "now-3.json": "three"}


def test_tools_are_listed_and_added(slash: Slash, capsys: pytest.CaptureFixture[str]) -> None:
    assert slash.obey("/tool") and "/tool mcp:ADDRESS" in told(capsys)
    assert slash.obey("/tool mcp:https://x.y/mcp") and told(capsys) == "x_y: https://x.y/mcp\n"
    assert slash.obey("/tool mcp:github") and told(capsys) == "x_y: https://x.y/mcp\ngithub: github\n"
    with pytest.raises(Failure, match="is no tool"):
        slash.obey("/tool web")


def test_help_fits_a_terminal_and_names_every_command(slash: Slash, capsys: pytest.CaptureFixture[str]) -> None:
    slash.obey("/help")
    text = told(capsys)
    assert max(map(len, text.splitlines())) < 80 and all(name in text for name in Slash.USAGE)
