"""What a shell is answered, and where completion is installed."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llama_cli.completing import tree as trees
from llama_cli.completing.answer import candidates
from llama_cli.completing.answer import main as answer
from llama_cli.completing.tree import KINDS, KINDS_OF_NAMES, Node, kinds_of
from llama_cli.completing.values import FINDERS, SHELLS
from llama_cli.servers.remembered import remember_models, remembered_models
from tests.support.command_runner import Cli
from tests.support.command_tree import Node as Command
from tests.support.command_tree import every_command
from tests.support.command_world import world

__all__ = ["world"]

FREE = {
    "SQL",
    *("PORT", "HOST", "DURATION", "ID", "NAME", "NAME:VALUE", "NAME=@FILE", "NAME=MODEL", "NAME=VALUE"),
    *(
        "none|low|medium|high",
        "JSON|@FILE",
        "SIZE",
        "FAULTS",
        "N",
        "TEXT",
        "NUMBER",
        "mcp:URL",
        "JSON",
        "URL",
        "PATTERN",
        "PATH",
        "[TEXT]...",
        "[BENCHMARK]",
        "[ID]",
        "REQUEST_ID",
        "[-- OPTIONS]",
    ),
}
"""Metavars of what nobody but the user can know."""
FREE_NAMES = {
    *("prompt", "text", "temperature", "max_tokens", "tail", "page", "seed", "top_p", "worst", "limit"),
}


@pytest.fixture(autouse=True)
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the commands: it takes a while, and gives the same each time."""
    monkeypatch.setattr(trees, "_read", _MADE)


_MADE = cache(trees._read)


@pytest.fixture
def root(cli: Cli) -> Node:
    return trees.tree()


def found(root: Node, line: str) -> list[str]:
    return [value for value, _ in candidates(root, line.split(" "))]


@every_command
def test_whatever_takes_a_value_has_values_or_is_free(node: Command) -> None:
    for param in [*node.arguments, *node.options.values()]:
        if getattr(param, "is_flag", False) or getattr(param.type, "choices", None):
            continue
        is_free = param.name in FREE_NAMES if param.metavar is None else param.metavar in FREE
        assert is_free or kinds_of(param, node.words), (
            f"{node.path}: what completes {param.metavar or param.name}? Enter it in KINDS of "
            "llama_cli/completing/tree.py, or in FREE here if nobody but the user can know"
        )


def test_every_kind_is_found_by_something() -> None:
    kinds = {kind for kinds in [*KINDS.values(), *KINDS_OF_NAMES.values()] for kind in kinds}
    assert kinds == FINDERS.keys() | {"files", "folders", "programs", "commands"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sta", ["stack"]),
        ("stack sho", ["show", "show-provider"]),
        ("stack run --det", ["--detach"]),
        ("stack exec mi", ["mine", ":files"]),
        ("stack exec mine m", []),
        ("stack exec mine -- m", [":programs"]),
        ("stack exec -- ", [":programs"]),
        ("stack exec -- make --dry", [":files"]),
        ("stack exec --log-file x", [":files"]),
        ("stack eval s", ["show", ":files"]),
        ("stack eval --thresh", ["--threshold"]),
        ("stack eval suite.yaml --jun", ["--junit"]),
        ("stack eval show --markdown ", [":files"]),
        ("stack run starter --detach --det", []),
        ("stack run --env A --en", ["--env", "--env-file"]),
        ("stack run --log-level err", ["error"]),
        ("stack run --log-level=err", ["--log-level=error"]),
        ("--color nev", ["never"]),
        ("stack run st", ["starter", "starter-gpu", ":files"]),
        ("stack show mi", ["mine", ":files"]),
        ("stack logs s", ["starter"]),
        ("stack stop starter st", ["starter"]),
        ("stack logs starter s", []),
        ("chat --url sta", ["starter"]),
        ("stack list-providers insp", ["inspect"]),
        ("stack show-provider remote::olla", ["remote::ollama"]),
        ("stack run --providers inference=remote::olla", ["inference=remote::ollama"]),
        ("stack run --providers a=b,inference=remote::olla", ["a=b,inference=remote::ollama"]),
        ("stack run --require olla", ["ollama"]),
        ("stack run --env OPENAI_API", ["OPENAI_API_KEY"]),
        ("stack run --env MY_OWN_V", ["MY_OWN_VARIABLE"]),
        ("stack run --env-file ", [":files"]),
        ("stack run --state ", [":folders"]),
        ("stack run -- --det", [":files"]),
        ("stack init --template ci", ["ci-tests"]),
        ("model describe Llama3.3-70B-Instr", ["Llama3.3-70B-Instruct"]),
        ("stack remove m", ["mine"]),
        ("stack remove s", []),
        ("stack wait --for sett", ["settled"]),
        ("stack wait --for st", ["stopped"]),
        ("stack run --wait st", []),
        ("stack run --wait provider=olla", ["provider=ollama"]),
        ("help stack list-a", ["list-apis"]),
        ("completion install f", ["fish"]),
        ("no-such-group x", []),
    ],
)
def test_how_a_line_can_go_on(line: str, expected: list[str], world: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_OWN_VARIABLE", "1")
    assert found(trees.tree(), line) == expected


def test_models_are_those_that_servers_have_named(cli: Cli, root: Node) -> None:
    assert found(root, "chat -m ") == []
    remember_models("http://one", {"llama/small": "llm"})
    remember_models("http://two", {"other": "embedding"})
    assert found(root, "chat -m ll") == ["llama/small"]
    assert found(root, "chat --model=") == ["--model=llama/small", "--model=other"]


def test_models_to_serve_are_those_that_are_here(cli: Cli, root: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(cli.home / "hf"))
    for name in ("Smaller", "unlike", ".incomplete/Smallest"):
        (cli.home / "models" / name).mkdir(parents=True)
    assert found(root, "stack run starter --model Sm") == ["SmolLM2-135M-Instruct", "Smaller", ":files"]


def test_what_was_remembered_is_no_burden(cli: Cli) -> None:
    for number in range(30):
        remember_models(f"http://{number}", {"m": "llm"})
    assert list(remembered_models())[-1] == "http://29" and len(remembered_models()) == 20
    file = cli.home / "cache" / "models.json"
    for garbage in (b"\xff", b"[", b"[]", b'{"a": 3}'):
        file.write_bytes(garbage)
        assert remembered_models() == {}


def test_the_tree_is_kept_until_a_command_changes(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    file = cli.home / "cache" / "completion.json"
    trees.tree()
    assert not cli.home.exists()  # a key that is pressed makes no folders
    cli.home.mkdir()
    made = trees.tree()
    reads: list[int] = []
    monkeypatch.setattr(trees, "_read", lambda: reads.append(1) or made)
    assert (trees.tree(), reads) == (made, [])
    for garbage in ("", "[]", '{"key": 3}', json.dumps({"key": "older", "tree": made})):
        file.write_text(garbage)
        assert trees.tree() == made
    assert len(reads) == 4


@pytest.mark.parametrize("change", ["edited", "replaced", "renamed", "gone"])
def test_a_change_of_any_file_is_seen(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that leaves all times as they were, as where an installer gives every file the same."""
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("1")
        os.utime(tmp_path / name, (100, 100 if name == "a.py" else 200))
    monkeypatch.setattr(trees, "__file__", str(tmp_path / "completing" / "tree.py"))
    before = trees._key()
    assert before == trees._key()
    match change:
        case "edited":
            os.utime(tmp_path / "a.py", (150, 150))
        case "replaced":
            (tmp_path / "a.py").write_text("12")
            os.utime(tmp_path / "a.py", (100, 100))
        case "renamed":
            (tmp_path / "a.py").rename(tmp_path / "c.py")
        case "gone":
            (tmp_path / "a.py").unlink()
    assert trees._key() != before


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("llama stack show-provider remote::olla", ["ollama"]),
        ('llama stack show-provider "remote::olla', ["remote::ollama"]),
        ("llama stack show-provider 'remote::olla", ["remote::ollama"]),
        (r"llama stack show-provider remote\:\:olla", ["remote::ollama"]),
        ("llama chat -m my", [r"my\ model"]),
        ("llama chat -m my\\ mo", [r"my\ model"]),
        ("llama chat -m 'my", ["my model"]),
        ("llama chat -m a", [r"a\;touch\ x\ \$\(id\)\'\`"]),
        ('llama chat -m "a', [r"a;touch x \$(id)'\`"]),
        ("llama chat -m 'a", [r"a;touch x $(id)'\''`"]),
        ("llama chat -m up", []),
        ("llama stack run --providers inference=remote::olla", ["ollama"]),
        ("llama stack run --log-level=err", ["error"]),
        ("llama stack run 'sta", ["starter", "starter-gpu", ":files"]),
        ("llama stack run a\\ b", [":files"]),
        ("llama", ["stack"]),
    ],
)
def test_bash_is_given_what_follows_its_last_break(
    line: str, expected: list[str], cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quoted as the line is there: a server that calls a model a command line has nothing run."""
    remember_models("http://one", {"my model": "llm", "a;touch x $(id)'`": "llm", "up\x1b[A": "llm", "up\nx": "llm"})
    answer(["bash", line, " \t\n\"'><=;|&(:"])
    shown = capsys.readouterr().out.splitlines()
    assert shown == expected if "chat" in line else shown[: len(expected)] == expected


def test_others_are_given_words_and_descriptions(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["zsh", "stack", "list-a"], ["fish", "stack", "list-a"], ["powershell", "llama stack list-a"]):
        answer(arguments)
        assert capsys.readouterr().out == "list-apis\tList the APIs, with what each is for\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR", "BASH_COMPLETION_USER_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("llama_cli.completing.places._BASH_COMPLETION", ())
    return tmp_path


def files(home: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(home)): path.read_text()
        for path in home.rglob("*")
        if path.is_file() and "cache" not in path.parts
    }


@pytest.mark.parametrize("shell", SHELLS)
def test_installed_once_or_twice_and_gone_again(shell: str, home: Path, cli: Cli) -> None:
    for name in (".bashrc", ".zshrc"):
        (home / name).write_text("alias ll='ls -l'")  # without an end of line
    before = files(home)
    dry = cli("completion", "install", shell, "--dry-run")
    assert (dry.code, files(home)) == (0, before)
    assert cli("completion", "install", shell).out == dry.out
    installed = files(home)
    again = cli("completion", "install", shell)
    assert (again.out, files(home)) == ("", installed)
    assert "nothing has changed" in again.err
    script = Path(cli("completion", "show", shell, "--json").json()["path"])
    assert script.read_text() == cli("completion", "show", shell).out
    changed = [name for name in before if installed[name] != before[name]]
    assert changed == {"bash": [".bashrc"], "zsh": [".zshrc"]}.get(shell, [])
    assert all(installed[name].startswith(before[name] + "\n") for name in changed)
    gone = cli("completion", "uninstall", shell)
    assert set(gone.out.splitlines()) == set(dry.out.splitlines())
    assert {name: text.rstrip("\n") for name, text in files(home).items()} == before
    assert cli("completion", "uninstall", shell).out == ""


def test_bash_reads_a_folder_where_bash_completion_is_there(
    home: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_cli.completing.places._BASH_COMPLETION", (str(home),))
    cli("completion", "install", "bash")
    assert list(files(home)) == [".local/share/bash-completion/completions/llama"]


def test_a_start_file_that_is_a_link_stays_one(home: Path, cli: Cli) -> None:
    (home / "dotfiles").write_text("# mine\n")
    (home / "dotfiles").chmod(0o600)
    (home / ".zshrc").symlink_to("dotfiles")
    cli("completion", "install", "zsh")
    assert (home / ".zshrc").is_symlink()
    assert (home / "dotfiles").read_text().startswith("# mine\nsource ")
    assert (home / "dotfiles").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("shell", "expected"),
    [("/usr/bin/zsh", "zsh"), ("/opt/bin/fish", "fish"), ("/usr/bin/pwsh", "powershell")],
)
def test_the_users_shell_is_meant(shell: str, expected: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", shell)
    assert cli("completion", "show", "--json").json()["shell"] == expected


def test_a_shell_that_we_do_not_know_is_usage(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    result = cli("completion", "install")
    assert (result.code, "`tcsh`, your shell" in result.err, "name one of bash, zsh" in result.err) == (2, True, True)
    monkeypatch.delenv("SHELL")
    assert cli("completion", "show").code == (0 if os.name == "nt" else 2)
    assert "did you mean `fish`" in cli("completion", "show", "fsh").err
