"""`llama stack recordings`: what is listed and shown, what goes, and what is taken from llama-stack and ogx."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runtime.recording.bodies import Held
from runtime.recording.documents import Recording, load, save
from runtime.recording.library import stored
from runtime.recording.manifest import Manifest
from runtime.recording.used import UsedLog, used
from tests.support.recordings import TEST, asked, chunk, peer_models, peer_recording, peer_search
from tests.support.schemas import conform

if TYPE_CHECKING:
    from tests.support.command_runner import Cli

CHAT = {"method": "POST", "server": "https://api.openai.com", "path": "/v1/chat/completions"}
HELLO = {
    "model": "gpt-4o",
    "temperature": 0.5,
    "messages": [
        {"role": "system", "content": "Be brief\nand kind"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {}}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "look", "arguments": '{"at": 1}'}}],
        },
        {"role": "tool", "content": "a cat"},
    ],
}
CALLS = [{"index": 0, "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}]
STREAM = {
    "status": 200,
    "events": [
        {"data": {"choices": [{"index": 0, "delta": {"content": "It "}}]}},
        {
            "data": {
                "choices": [{"index": 0, "delta": {"content": "rains", "tool_calls": CALLS}, "finish_reason": "stop"}]
            }
        },
        {"data": {"choices": [], "usage": {"prompt_tokens": 3, "total_tokens": 1234567}}},
        {"data": "[DONE]"},
    ],
}
REFUSED = {"status": 404, "json": {"error": {"message": "no such model", "code": "model_not_found"}}}
KEPT = {
    "chat/a.json": Recording(
        provider="inference/openai",
        request=CHAT | {"json": HELLO},
        answer=STREAM,
        scope="tests/test_chat.py::test_a[x]",
    ),
    "chat/b.json": Recording(
        provider="inference/openai",
        request=CHAT | {"json": {"model": "gone"}},
        answer=REFUSED,
        scope="tests/test_chat.py::test_b",
    ),
    "speech.json": Recording(
        provider="inference/openai",
        request={"method": "POST", "server": "https://api.openai.com", "path": "/v1/audio", "json": {"input": "Hi"}},
        answer={"status": 200, "bytes": Held(b"\0" * 2000, ".wav")},
    ),
    "call.json": Recording(
        provider="inference/kettle",
        request={
            "call": "chat_completion",
            "json": {"model": "steam", "messages": [{"role": "user", "content": "Hi"}]},
        },
        answer={"reply": {"choices": [{"index": 0, "message": {"content": "Hi!"}, "finish_reason": "stop"}]}},
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usual folder, with four recordings; nobody has noted which are used."""
    monkeypatch.delenv("LLAMA_STACK_TEST_RECORDING_DIR", raising=False)
    monkeypatch.delenv("OGX_TEST_RECORDING_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "recordings"
    (folder / "chat").mkdir(parents=True)
    for name, one in KEPT.items():
        save(one, folder / name)
    return folder


def note(folder: Path, *names: str) -> None:
    log = UsedLog(folder)
    for name in names:
        log.note(folder / name)
    log.close()


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_each_recording_is_a_row(cli: Cli, folder: Path) -> None:
    rows = cli("stack", "recordings", "ls", "--json").json()
    conform(rows, "stack-recordings-ls")
    assert [row["file"] for row in rows] == ["call.json", "chat/a.json", "chat/b.json", "speech.json"]
    assert [row["kind"] for row in rows] == ["whole", "stream", "refusal", "whole"]
    assert [row["model"] for row in rows] == ["steam", "gpt-4o", "gone", None]
    assert [row["status"] for row in rows] == [None, 200, 404, 200]
    assert rows[0]["operation"] == "chat_completion" and rows[3]["size_bytes"] > 2000
    assert {row["used"] for row in rows} == {None}
    assert cli("stack", "recordings", "ls", "-q").out.split() == [row["file"] for row in rows]


def test_who_reads_the_list_on_a_terminal_gets_a_total(cli: Cli, folder: Path) -> None:
    told = cli.at_terminal("stack", "recordings", "ls")
    assert "4 recordings, " in told.err and " kB in recordings" in told.err
    assert "recordings," not in cli("stack", "recordings", "ls").err


@pytest.mark.parametrize(
    ("test", "names"),
    [
        ("test_a", ["chat/a.json"]),
        ("test_a[x]", ["chat/a.json"]),
        ("tests/test_chat.py::test_a[x]", ["chat/a.json"]),
        ("*test_?", ["chat/b.json"]),
        ("test_chat.py", ["chat/a.json", "chat/b.json"]),
        ("tests/test_chat.py", ["chat/a.json", "chat/b.json"]),
    ],
)
def test_the_recordings_of_a_test_are_listed(test: str, names: list[str], cli: Cli, folder: Path) -> None:
    assert cli("stack", "recordings", "ls", "--test", test, "-q").out.split() == names


def test_what_nobody_uses_is_listed_once_it_is_known(cli: Cli, folder: Path) -> None:
    unknown = cli("stack", "recordings", "ls", "--unused")
    assert unknown.code == 1 and "run all of your tests once" in unknown.err
    note(folder, "chat/a.json", "call.json")
    assert cli("stack", "recordings", "ls", "--unused", "-q").out.split() == ["chat/b.json", "speech.json"]
    rows = cli("stack", "recordings", "ls", "--json").json()
    assert [row["used"] for row in rows] == [True, True, False, False]


@pytest.mark.parametrize(
    ("given", "variables", "code", "said"),
    [
        (["nowhere"], {}, 2, "`nowhere` is not there"),
        (["file.txt"], {}, 2, "`file.txt` is no folder"),
        (["empty"], {}, 3, "`empty` holds no recordings"),
        ([], {"LLAMA_STACK_TEST_RECORDING_DIR": "gone"}, 2, "`gone`, as `LLAMA_STACK_TEST_RECORDING_DIR` says, is not"),
        ([], {"OGX_TEST_RECORDING_DIR": "empty"}, 3, "`empty` holds no recordings"),
        (["recordings", "--test", "test_z"], {}, 2, "there are no recordings of a test `test_z`"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_with_what_to_do(
    given: list[str], variables: dict[str, str], code: int, said: str, cli: Cli, folder: Path, monkeypatch: Any
) -> None:
    (folder.parent / "empty").mkdir()
    (folder.parent / "file.txt").write_text("x")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = cli("stack", "recordings", "ls", *given)
    assert (told.code, told.out) == (code, "") and said in told.err and "\nhint: " in told.err


def test_without_a_folder_the_usual_ones_are_named(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.parent / "elsewhere")
    told = cli("stack", "recordings", "ls")
    assert told.code == 2 and "no folder `recordings` or `tests/recordings` here" in told.err
    (folder.parent / "tests").mkdir()
    (folder.parent / "elsewhere").rename(folder.parent / "tests" / "recordings")
    assert len(cli("stack", "recordings", "ls", "-q").out.split()) == 4


def test_every_file_that_cannot_be_used_is_named(cli: Cli, folder: Path) -> None:
    (folder / "broken.json").write_text("{")
    (folder / "newer.json").write_text('{"schema": 2}')
    told = cli("stack", "recordings", "ls", "--json")
    error = told.json()["error"]
    assert told.code == 3 and error["message"].startswith("2 recordings cannot be used:")
    assert "broken.json` is not JSON" in error["message"] and "newer.json` has the schema 2" in error["message"]
    assert "restore it" in error["hint"] and "update llama" in error["hint"]
    [alone] = [cli("stack", "recordings", "show", "newer.json")]
    assert alone.code == 3 and "this version of llama reads 1" in alone.err


def test_a_conversation_is_shown_for_people(cli: Cli, folder: Path) -> None:
    told = cli("stack", "recordings", "show", "chat/a.json")
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert lines[0].startswith("inference/openai of tests/test_chat.py::test_a[x], key ")
    assert lines[1:] == [
        "request",
        "  POST https://api.openai.com/v1/chat/completions",
        "  model: gpt-4o",
        "  temperature: 0.5",
        "  system:",
        "      Be brief",
        "      and kind",
        "  user:",
        "      What is this?",
        "      <image_url>",
        '  assistant calls look {"at": 1}',
        "  tool: a cat",
        "answer",
        "  stream of 4 events, status 200",
        "  assistant: It rains",
        '  calls weather {"city":"Rome"}',
        "  finish: stop",
        "  usage: prompt_tokens 3, total_tokens 1,234,567",
    ]


def test_each_half_can_be_shown_alone(cli: Cli, folder: Path) -> None:
    request = cli("stack", "recordings", "show", "chat/b.json", "--request").out
    answer = cli("stack", "recordings", "show", "chat/b.json", "--answer").out
    assert "answer" not in request and "model: gone" in request
    assert answer.splitlines()[:2] == ["answer", "  refusal, status 404"] and "no such model" in answer
    assert cli("stack", "recordings", "show", "chat/b.json", "--answer", "--request").code == 2
    assert "2.0 kB" in cli("stack", "recordings", "show", "speech.json", "--answer").out
    assert "chat_completion" in cli("stack", "recordings", "show", "call.json", "--request").out


def test_all_of_a_recording_is_shown_as_json(cli: Cli, folder: Path) -> None:
    whole = cli("stack", "recordings", "show", "chat/a.json", "--json").json()
    conform(whole, "stack-recordings-show")
    assert (whole["request"], whole["answer"]) == (KEPT["chat/a.json"].request, KEPT["chat/a.json"].answer)
    speech = cli("stack", "recordings", "show", "speech.json", "--json").json()
    assert speech["answer"]["bytes"]["size_bytes"] == 2000 and (folder / speech["answer"]["bytes"]["file"]).is_file()
    part = cli("stack", "recordings", "show", "chat/a.json", "--json", "--answer").json()
    conform(part, "stack-recordings-show")
    assert "request" not in part


def test_what_counts_of_a_request_is_shown_after_the_rules(cli: Cli, folder: Path) -> None:
    request = CHAT | {
        "headers": {"x": "y"},
        "json": {"model": "m", "user": "me", "stream": False, "temperature": 0.7000001},
    }
    save(Recording(provider="a/b", request=request, answer={"status": 200, "json": {}}), folder / "c.json")
    shown = json.loads(cli("stack", "recordings", "show", "c.json", "--normalized").out)
    assert shown == {"method": "POST", "path": "/v1/chat/completions", "json": {"model": "m", "temperature": 0.7}}
    as_json = cli("stack", "recordings", "show", "c.json", "--normalized", "--json").json()
    assert as_json["request"] == shown and "answer" not in as_json


def test_a_recording_is_found_by_how_its_key_begins(cli: Cli, folder: Path) -> None:
    key = cli("stack", "recordings", "show", "chat/a.json", "--json").json()["key"]
    assert cli("stack", "recordings", "show", key[:10]).out == cli("stack", "recordings", "show", "chat/a.json").out
    assert cli("stack", "recordings", "show", str(folder / "chat" / "a.json")).code == 0
    for given in ("zz", "a"):
        save(KEPT["chat/a.json"], folder / "again.json")
        told = cli("stack", "recordings", "show", key[:4] if given == "a" else given)
        assert told.code == 2
        assert ("may be `again.json`, `chat/a.json`" if given == "a" else "there is no recording `zz`") in told.err


def test_what_nobody_uses_goes_once_one_agrees(cli: Cli, folder: Path) -> None:
    note(folder, "chat/a.json")
    note(folder, "speech.json")
    ask = ["stack", "recordings", "prune", "--unused"]
    refused = cli(*ask)
    assert refused.code == 2 and "  chat/b.json of tests/test_chat.py::test_b, " in refused.err
    assert "remove 2 recordings, " in refused.err and len(names_in(folder)) > 4
    trial = cli(*ask, "--dry-run", "--json").json()
    conform(trial, "stack-recordings-prune")
    assert [row["file"] for row in trial["removed"]] == ["call.json", "chat/b.json"] and trial["kept"] == 2
    assert used(folder) is not None
    done = cli(*ask, "--yes")
    assert done.code == 0 and "removed 2 recordings" in done.err
    left = names_in(folder)
    assert left[:2] == ["chat/a.json", "speech.json"] or left[0] == "chat/a.json"
    assert len([name for name in left if name.endswith(".json")]) == 2 and any(name.endswith(".wav") for name in left)
    assert used(folder) is None
    again = cli(*ask, "--yes")
    assert again.code == 1 and "nobody has noted which recordings" in again.err


def test_folders_that_are_empty_then_go_too(cli: Cli, folder: Path) -> None:
    note(folder, "call.json", "speech.json")
    assert cli("stack", "recordings", "prune", "--unused", "--yes").code == 0
    assert not (folder / "chat").exists()
    note(folder, "call.json", "speech.json")
    told = cli("stack", "recordings", "prune", "--unused", "--yes")
    assert (told.code, told.err) == (0, "there is nothing to remove: each one is used\n")


def test_what_is_to_go_has_to_be_said(cli: Cli, folder: Path) -> None:
    told = cli("stack", "recordings", "prune")
    assert told.code == 2 and "`--unused` removes those that nobody has asked for" in told.err


@pytest.fixture
def peer(tmp_path: Path, folder: Path) -> Path:
    """A suite as llama-stack keeps it, with what cannot be taken."""
    suite = tmp_path / "suite" / "chat" / "recordings"
    suite.mkdir(parents=True)
    files: dict[str, Any] = {
        "a": peer_recording(),
        "b": peer_recording(asked("again", stream=True), [chunk("Hel"), chunk("lo", "stop")], streams=True),
        "models-1": peer_models("one"),
        "models-2": peer_models("two"),
        "search": peer_search(),
        "ollama": peer_recording(endpoint="/api/chat", base="http://0.0.0.0:11434"),
        "unknown": peer_recording(base="http://gpu.example:9000/v1", test=None),
    }
    for name, value in files.items():
        (suite / f"{name}.json").write_text(json.dumps(value))
    (tmp_path / "suite" / "matrix.json").write_text("[]")
    return tmp_path / "suite"


def test_a_suite_of_llama_stack_is_taken(cli: Cli, peer: Path) -> None:
    trial = cli("stack", "recordings", "import", str(peer), "taken", "--dry-run", "--json").json()
    done = cli("stack", "recordings", "import", str(peer), "taken", "--json")
    for document in (trial, done.json()):
        conform(document, "stack-recordings-import")
        assert (document["read"], document["imported"]) == (8, 4)
        assert [one["file"] for one in document["left_out"]] == [
            "chat/recordings/ollama.json", "chat/recordings/unknown.json", "matrix.json",
        ]  # fmt: skip
    assert (trial["files"], len(done.json()["files"])) == ([], 4)
    kept = {one.operation: one for one in stored(peer.parent / "taken")}
    assert kept["GET /v1/models"].answer["json"]["data"][1]["id"] == "two"
    assert {one.provider for one in kept.values()} == {"inference/ollama", "tool_runtime/tavily-search"}
    assert kept["POST /search"].scope == TEST
    manifest = Manifest.read(peer.parent / "taken")
    assert manifest is not None and manifest.variables == {"OLLAMA_URL": "http://0.0.0.0:11434/v1"}
    before = names_in(peer.parent / "taken")
    assert cli("stack", "recordings", "import", str(peer), "taken").code == 0  # twice is as once
    assert names_in(peer.parent / "taken") == before


def test_what_is_left_out_is_told_by_its_reason(cli: Cli, peer: Path) -> None:
    told = cli("stack", "recordings", "import", str(peer), "taken")
    assert "1 left out, since nothing says whose address `http://gpu.example:9000` is" in told.err
    assert "1 left out, since `/api/chat` is a path of Ollama's own" in told.err
    assert "imported 4 recordings of 8 files\n" in told.err
    assert len(cli("stack", "recordings", "import", str(peer), "taken", "-q").out.split()) == 4


@pytest.mark.parametrize(
    ("given", "provider"),
    [(["vllm"], "vllm"), (["gpu.example:9000=mine"], "mine"), (["other", "gpu.example:9000=mine"], "mine")],
)
def test_who_was_asked_can_be_said(given: list[str], provider: str, cli: Cli, peer: Path) -> None:
    options = [word for one in given for word in ("--provider", one)]
    assert cli("stack", "recordings", "import", str(peer), "taken", *options).code == 0
    found = [one for one in stored(peer.parent / "taken") if one.request.get("server") == "http://gpu.example:9000"]
    assert {one.provider for one in found} == {f"inference/{provider}"}


def test_a_list_of_models_is_made_where_there_is_none(cli: Cli, peer: Path) -> None:
    """Without one, a stack knows no model of the provider, and asks it nothing."""
    ask = ["stack", "recordings", "import", str(peer / "chat" / "recordings" / "unknown.json"), "taken"]
    told = cli(*ask, "--provider", "vllm")
    assert "the list of the models of inference/vllm was not there: it has those that were asked\n" in told.err
    assert cli(*ask, "--provider", "vllm", "--json").json()["made_lists"] == ["inference/vllm"]
    [listed] = [one for one in stored(peer.parent / "taken") if one.request["method"] == "GET"]
    assert (listed.operation, listed.request["server"]) == ("GET /v1/models", "http://gpu.example:9000")
    assert [one["id"] for one in listed.answer["json"]["data"]] == ["llama3.2:3b-instruct-fp16"]


def test_what_is_new_does_not_count_as_unused(cli: Cli, peer: Path, folder: Path) -> None:
    note(folder, "call.json")
    assert cli("stack", "recordings", "import", str(peer), str(folder)).code == 0
    told = cli("stack", "recordings", "prune", str(folder), "--unused", "--yes")
    assert told.code == 1 and "nobody has noted which recordings" in told.err


def test_secrets_of_a_suite_are_not_taken(cli: Cli, peer: Path) -> None:
    secret = "sk-proj-0123456789abcdefghij"
    file = peer / "chat" / "recordings" / "a.json"
    file.write_text(json.dumps(peer_recording(asked(f"my key is {secret}"))))
    assert cli("stack", "recordings", "import", str(peer), "taken").code == 0
    assert secret not in "".join(path.read_text() for path in (peer.parent / "taken").rglob("*.json"))


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["nowhere"], 2, "`nowhere` is not there"),
        (["empty"], 3, "`empty` holds no recordings"),
        (["suite/matrix.json"], 3, "nothing of `suite/matrix.json` can be imported"),
        (["suite/chat/recordings/unknown.json"], 3, "`--provider PROVIDER` says who was asked"),
        (["suite", "suite/matrix.json"], 2, "`suite/matrix.json` is no folder"),
        (["suite", "--provider", "=x"], 2, "`--provider`: `=x` names no provider"),
    ],
)
def test_what_cannot_be_taken_is_named(given: list[str], code: int, said: str, cli: Cli, peer: Path) -> None:
    (peer.parent / "empty").mkdir()
    told = cli("stack", "recordings", "import", *given)
    assert (told.code, told.out) == (code, "") and said in told.err


def test_what_was_taken_is_read_as_any_other(cli: Cli, peer: Path) -> None:
    cli("stack", "recordings", "import", str(peer), "taken")
    [file] = [name for name in cli("stack", "recordings", "ls", "taken", "-q").out.splitlines() if "test_hello" in name
              and load(peer.parent / "taken" / name).request["json"].get("stream")]  # fmt: skip
    assert "  assistant: Hello\n" in cli("stack", "recordings", "show", file, "taken").out
