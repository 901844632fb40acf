"""`llama connect`: what each client is told, what stays in its file, and which clients a server is enough for."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from llama_cli.asking.reach import KEY_VARIABLE
from llama_cli.clients import _client, _settings
from llama_cli.clients._client import Server
from tests.support.command_runner import Cli
from tests.support.schemas import conform
from tests.support.small_server import SmallHandler, running, url_of

MODEL = "meta-reference/SmolLM2-135M-Instruct"


class Handler(SmallHandler):
    """A server that chats, and does nothing else."""

    def do_GET(self) -> None:
        rows: dict[str, list[dict[str, Any]]] = {
            "/v1/inspect/routes": [{"method": "POST", "route": "/v1/chat/completions"}],
            "/v1/models": [
                {"id": "embed/x", "custom_metadata": {"model_type": "embedding"}},
                {"id": MODEL, "custom_metadata": {"model_type": "llm", "context_length": 2048}},
                {"id": "groq/big"},
            ],
        }
        self.document({"data": rows[self.path]})


@pytest.fixture
def connect(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """The command line beside such a server, with a home folder for the user."""
    for name in ("XDG_CONFIG_HOME", "LLM_USER_PATH", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    with running(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        monkeypatch.setenv("LLAMA_STACK_URL", f"{url_of(server)}/v1")
        yield cli


@pytest.mark.parametrize("has_key", [False, True])
@pytest.mark.parametrize("name", _client.names())
def test_every_client_is_told_address_and_model_and_never_a_key(
    name: str, has_key: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "hush-hush")
    client = _client.find(name)
    server = Server(url="http://there:8321", model=MODEL, models=(MODEL, "groq/big"), has_key=has_key)
    said = ""
    if client.settings and client.form:
        said = _settings.as_text(_settings.whole(client, server), client.form)
        {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}[client.form](said)
    said += client.text(server) if client.text else ""
    said += json.dumps(dict(client.variables(server))) if client.variables else ""
    said += client.then(server) if client.then else ""
    assert "there:8321" in said and MODEL in said
    assert "hush-hush" not in said
    assert client.page.startswith("https://") and not client.summary.endswith(".")
    assert (client.file is None) == (client.settings is None) == (client.form is None)


def test_all_that_are_known_are_listed(cli: Cli) -> None:
    document = cli("connect", "--json").json()
    conform(document, "connect")
    assert [row["name"] for row in document["tools"]] == _client.names() == cli("connect", "-q").out.split()


def test_a_client_that_needs_another_protocol_is_refused_with_those_that_do_not(connect: Cli) -> None:
    for name, route in (("claude", "/v1/messages"), ("codex", "/v1/responses"), ("gemini", "generateContent")):
        result = connect("connect", name)
        assert (result.code, result.out) == (2, "")
        assert f"`{name}` needs `POST " in result.err and route in result.err
        assert "these work with it: aider, cline," in result.err


def test_an_unknown_client_has_the_nearest(cli: Cli) -> None:
    result = cli("connect", "opncode")
    assert (result.code, result.out) == (2, "")
    assert "did you mean `opencode`" in result.err


def test_variables_are_for_a_shell_to_take(connect: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = connect("connect", "goose").out.splitlines()
    assert "export GOOSE_MODEL=" + MODEL in lines
    assert "export OPENAI_BASE_PATH=v1/chat/completions" in lines
    assert "export OPENAI_API_KEY=none" in lines
    monkeypatch.setenv(KEY_VARIABLE, "hush-hush")
    assert f'export OPENAI_API_KEY="${KEY_VARIABLE}"' in connect("connect", "aider", "--print-env").out.splitlines()


@pytest.mark.parametrize("name", [*_client.names()])
def test_a_model_with_a_command_for_a_name_stays_a_name_where_it_is_pasted(name: str) -> None:
    evil = "$(touch x) `touch x` \"; touch x; '"
    client, server = _client.find(name), Server(url="http://there:8321", model=evil, models=(evil,))
    typed = [f"export {key}={server.in_shell(value)}" for key, value in (client.variables or _none)(server).items()]
    if client.then and name in ("aider", "cline", "opencode", "llm"):
        typed.append(client.then(server))
    for line in typed:
        shlex.split(line)
        assert "touch" not in re.sub("'[^']*'", "", line), "a shell looks into all but single quotes"
    if client.text and name in ("langchain", "llama-stack-client"):
        ast.parse(client.text(server))


def _none(server: Server) -> dict[str, str]:
    return {}


@pytest.mark.parametrize("name", [name for name in _client.names() if _client.find(name).form not in (None, "toml")])
def test_twice_is_the_same_as_once_and_what_a_user_has_added_stays(name: str) -> None:
    client, server = _client.find(name), Server(url="http://there:8321", model=MODEL, models=(MODEL, "groq/big"))
    assert client.settings and client.form
    ours = client.settings(server)

    def added(there: Any) -> Any:
        if isinstance(there, dict):
            return {"mine": True, **{key: added(value) for key, value in there.items()}}
        return [added(entry) for entry in there] if isinstance(there, list) else there

    theirs = added(ours)
    assert _settings._merged(theirs, ours) == theirs
    assert _settings._merged(_settings._merged({} if isinstance(ours, dict) else [], ours), ours) == ours


def test_the_model_is_the_first_that_chats_or_the_one_that_is_named(connect: Cli) -> None:
    first = connect("connect", "vscode", "--json").json()
    conform(first, "connect")
    assert first["connection"]["model"] == MODEL
    [entry] = json.loads(first["connection"]["content"])
    assert [model["id"] for model in entry["models"]] == [MODEL, "groq/big"]
    assert {model["maxInputTokens"] + model["maxOutputTokens"] for model in entry["models"]} == {2048}
    assert connect("connect", "vscode", "-m", "big", "--json").json()["connection"]["model"] == "groq/big"
    unknown = connect("connect", "vscode", "-m", "groq/bgi")
    assert (unknown.code, "did you mean `groq/big`" in unknown.err) == (2, True)


def test_what_else_stands_in_the_file_stays(connect: Cli, tmp_path: Path) -> None:
    file = tmp_path / ".config/opencode/opencode.json"
    file.parent.mkdir(parents=True)
    before = '{\n    "theme": "x", "provider": {"other": {"npm": "y"}, "llama-stack": {"options": {"timeout": 5}}}}'
    file.write_text(before)
    file.chmod(0o640)
    would = connect("connect", "opencode", "--write", "--dry-run")
    assert would.out.startswith(f"--- {file}\n+++ {file}\n@@") and '+        "llama-stack": {' in would.out
    assert file.read_text() == before
    done = connect("connect", "opencode", "--write", "--json").json()
    conform(done, "connect")
    assert '\n    "theme": "x",\n' in file.read_text()
    now = json.loads(file.read_text())
    assert (now["theme"], now["provider"]["other"], now["model"]) == ("x", {"npm": "y"}, f"llama-stack/{MODEL}")
    assert now["provider"]["llama-stack"]["options"]["timeout"] == 5
    assert Path(done["connection"]["copy"]).read_text() == before
    assert file.stat().st_mode & 0o777 == 0o640
    again = connect("connect", "opencode", "--write", "--json").json()["connection"]
    assert (again["written"], again["copy"], again["difference"]) == (False, None, "")


def test_what_a_user_calls_a_file_and_writes_in_blocks_stays(connect: Cli, tmp_path: Path) -> None:
    file = tmp_path / ".continue/config.yaml"
    file.parent.mkdir()
    before = "name: Mine\nversion: 0.0.1\nschema: v1\nrules:\n- |\n  Be brief.\n  Answer in French.\n"
    file.write_text(before)
    assert connect("connect", "continue", "--write").code == 0
    assert file.read_text().startswith(f"{before}models:\n- name: 'llama-stack: ")
    file.unlink()
    assert connect("connect", "continue", "--write").code == 0
    assert file.read_text().startswith("name: Local\n")


def test_a_link_that_leads_nowhere_makes_no_folders(connect: Cli, tmp_path: Path) -> None:
    (tmp_path / ".aider.conf.yml").symlink_to(tmp_path / "gone/x.yml")
    result = connect("connect", "aider", "--write")
    assert (result.code, "leads nowhere" in result.err) == (3, True)
    assert not (tmp_path / "gone").exists()


def test_entries_of_a_list_are_replaced_by_name(connect: Cli, tmp_path: Path) -> None:
    file = tmp_path / ".config/io.datasette.llm/extra-openai-models.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"- {{model_id: mine, model_name: m}}\n- {{model_id: llama-stack/{MODEL}, api_base: old}}\n")
    assert connect("connect", "llm", "--write").code == 0
    rows = yaml.safe_load(file.read_text())
    assert [row["model_id"] for row in rows] == ["mine", f"llama-stack/{MODEL}", "llama-stack/groq/big"]
    assert rows[1]["api_base"].endswith("/v1")


@pytest.mark.parametrize(
    ("tool", "place", "text"),
    [
        ("zed", ".config/zed/settings.json", '{\n  // mine\n  "a": 1\n}\n'),
        ("aider", ".aider.conf.yml", "# mine\nmodel: x\n"),
        ("continue", ".continue/config.yaml", "a: [\n"),
        ("aider", ".aider.conf.yml", "model: x  # mine\n"),
        ("continue", ".continue/config.yaml", "version: 1.10\n"),
        ("continue", ".continue/config.yaml", "answer: yes\n"),
        ("opencode", ".config/opencode/opencode.json", '{"a": 1, "a": 2}'),
        ("opencode", ".config/opencode/opencode.json", "[]"),
        ("opencode", ".config/opencode/opencode.json", '{"provider": ["mine"]}'),
        ("vscode", ".config/Code/User/chatLanguageModels.json", '{"mine": 1}'),
    ],
)
def test_a_file_that_would_be_damaged_is_left_alone(
    tool: str, place: str, text: str, connect: Cli, tmp_path: Path
) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    result = connect("connect", tool, "--write")
    assert (result.code, result.out) == (3, "")
    assert "paste what is printed without `--write`" in result.err
    assert file.read_text() == text and len(list(file.parent.glob(f"{file.name}*"))) == 1


def test_what_has_no_file_cannot_be_written(connect: Cli) -> None:
    for tool, instead in (("goose", "--print-env"), ("cline", "llama connect cline")):
        result = connect("connect", tool, "--write")
        assert (result.code, instead in result.err) == (2, True)
    assert connect("connect", "cline", "--print-env").code == 2


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to("real.json")
    copy = _settings.write(tmp_path / "link.json", '{"a": 1}')
    assert (tmp_path / "link.json").is_symlink() and (tmp_path / "real.json").read_text() == '{"a": 1}'
    assert copy is not None and copy.read_text() == "{}"
    again = _settings.write(tmp_path / "link.json", "[]")
    assert again not in (None, copy) and copy.read_text() == "{}"
