"""`llama service`: what is written for systemd and launchd, and what never is."""

from __future__ import annotations

import os
import plistlib
import subprocess
from pathlib import Path

import pytest

from llama_cli.exits import Failure
from llama_cli.supervisors import systemd
from llama_cli.supervisors.launchd import Launchd
from llama_cli.supervisors.service import Service, service_of
from llama_cli.supervisors.systemd import Systemd
from tests.support.command_runner import Cli
from tests.support.schemas import conform


def settings(text: str) -> dict[str, list[str]]:
    """A unit's settings by name; one that is there several times has several values."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def service_cli(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line as on Linux, with a folder for the user's settings."""
    for name in ("HTTPS_PROXY", "UV_INDEX_URL", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return cli


def test_what_would_be_written_is_shown(service_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys.env"
    keys.write_text("# mine\nOPENAI_API_KEY=sk-hush\n")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("UV_INDEX_URL", "https://me:hush@index/simple")
    words = ["service", "install", "starter", "--env-file", str(keys)]
    document = service_cli(*words, "--dry-run", "--json", "--", "--port", "8400").json()
    conform(document, "service-install")
    assert document["file"] == str(tmp_path / "config/systemd/user/llama-stack-starter.service")
    assert (document["changed"], document["written"]) == (True, False)
    assert not (tmp_path / "config").exists()
    facts = settings(document["text"])
    [command] = facts["ExecStart"]
    assert command.endswith(" stack run starter --port 8400") and command.startswith("/")
    assert {f"LLAMA_HOME={service_cli.home}", "HTTPS_PROXY=http://proxy:3128"} <= set(facts["Environment"])
    assert (facts["EnvironmentFile"], facts["WantedBy"]) == ([str(keys)], ["default.target"])
    assert "hush" not in document["text"]
    assert "`UV_INDEX_URL` holds a password" in service_cli(*words, "--dry-run").err
    keys.write_text("UV_INDEX_URL=https://me:hush@index/simple\n")
    assert "password" not in service_cli(*words, "--dry-run").err
    assert service_cli(*words, "--print", "--", "--port", "8400").out == document["text"]


def test_a_service_means_the_same_in_any_folder(
    service_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = service_cli("stack", "init", "mine", "--template", "remote", "--output", "-").out
    for file in ("mine.yaml", "starter"):  # neither a name nor a template, though each could be one
        Path(file).write_text(config)
        Path("own.gguf").touch()
        places = ["--state=kept", "--ready-file", "r.json", "--model", "own.gguf", "--model", "SmolLM2-135M-Instruct"]
        made = service_cli("service", "install", file, "--dry-run", "--json", "--", *places).json()
        assert made["name"] == "mine"  # as the server is called in `ps` and `logs`
        [command] = settings(made["text"])["ExecStart"]
        words = f"{file} --state={tmp_path}/kept --ready-file {tmp_path}/r.json"
        assert command.endswith(f"run {tmp_path}/{words} --model {tmp_path}/own.gguf --model SmolLM2-135M-Instruct")
    Path("starter").unlink()
    [command] = settings(service_cli("service", "install", "starter", "--print").out)["ExecStart"]
    assert command.endswith(" run starter")


def test_the_next_step_starts_what_was_installed(
    service_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "_BOOTED", tmp_path)
    monkeypatch.setattr(Systemd, "_run", lambda *_, **__: subprocess.CompletedProcess([], 0, "", ""))
    keys = tmp_path / "my keys.env"
    keys.touch()
    words = ["starter", "--env-file", str(keys), "--", "--port", "8400"]
    said = service_cli.at_terminal("service", "install", *words).err
    assert said.splitlines()[-1] == f"next: llama service install starter --env-file '{keys}' --now -- --port 8400"


def test_a_run_config_that_no_server_could_be_started_with_is_no_service(service_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("version: 2\ndistro_nme: x\n")
    result = service_cli("service", "install", str(tmp_path / "run.yaml"), "--print")
    assert (result.code, result.out) == (3, "") and "did you mean `distro_name`?" in result.err


def test_the_machine_s_unit_is_hardened_and_can_write_where_it_has_to(service_cli: Cli) -> None:
    facts = settings(service_cli("service", "install", "starter", "--system", "--print").out)
    assert (facts["ProtectSystem"], facts["WantedBy"]) == (["strict"], ["multi-user.target"])
    [written] = facts["ReadWritePaths"]
    assert f"-{service_cli.home}" in written.split()


def service(command: tuple[str, ...], env_file: Path | None = None) -> Service:
    home = Path("/home/me/.llama")
    return Service(name="x", command=command, variables={"LLAMA_HOME": "/l"}, home=home, env_file=env_file)


def test_words_mean_what_they_say() -> None:
    command = ("/opt/a b/llama", "stack", "run", "100%", "$HOME", 'say "hi"', "back\\slash", ";", "two\nlines")
    text = Systemd(is_system=False, environment={}).render(service(command))
    assert settings(text)["ExecStart"] == [
        r'"/opt/a b/llama" stack run 100%% $$HOME "say \"hi\"" "back\\slash" ";" "two\nlines"'
    ]


def test_a_service_of_who_called_sudo_has_that_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pwd.getpwnam", lambda name: type("Entry", (), {"pw_dir": f"/home/{name}"}))
    environment = {"SUDO_USER": "maria", "USER": "root", "HOME": "/root"}
    made = service_of("starter", [], env_file=None, is_system=True, environment=environment)
    assert (made.user, made.home, made.variables["LLAMA_HOME"]) == (
        "maria",
        Path("/home/maria/.llama"),
        "/home/maria/.llama",
    )
    assert made.written == (Path("/home/maria/.cache/uv"),)
    elsewhere = service_of(
        "starter", [], env_file=None, is_system=True, environment={**environment, "LLAMA_HOME": "/l"}
    )
    assert elsewhere.home == Path("/l")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_home_that_root_makes_is_the_users(tmp_path: Path) -> None:
    made = Service(name="x", command=("/x",), variables={}, home=tmp_path / "home", is_system=True, user="nobody")
    made.make_home()
    assert {(tmp_path / place).owner() for place in ("home", "home/logs")} == {"nobody"}


def test_a_property_list_says_the_same() -> None:
    env_file = Path("/home/me/keys.env")
    made = service(("/bin/llama", "stack", "run", "x"), env_file)
    facts = plistlib.loads(Launchd(is_system=False, environment={"HOME": "/home/me"}).render(made).encode())
    assert facts["ProgramArguments"] == ["/bin/llama", "stack", "run", "x", "--env-file", str(env_file)]
    assert (facts["Label"], facts["KeepAlive"]) == ("llama-stack-x", {"SuccessfulExit": False})
    assert facts["EnvironmentVariables"] == {"LLAMA_HOME": "/l"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["starter", "--", "--prot", "1"], "`llama stack run`: No such option: --prot"),
        (["starter", "--", "--env", "KEY=hush"], "`--env` cannot be an option of a service"),
        (["starter", "--", "--detach"], "`--detach` cannot be an option of a service"),
        (["-"], "standard input is there once"),
        (["startr"], "`startr` is not a file, a template or a built distribution"),
    ],
)
def test_what_cannot_be_a_service_is_refused(words: list[str], said: str, service_cli: Cli) -> None:
    result = service_cli("service", "install", "--print", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {said}")


@pytest.mark.parametrize("line", ["export KEY=hush", "KEY = hush", "KEY"])
def test_a_file_that_systemd_reads_otherwise_is_refused(line: str, service_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "keys.env").write_text(f"A=1\n{line}\n")
    result = service_cli("service", "install", "starter", "--print", "--env-file", str(tmp_path / "keys.env"))
    assert (result.code, result.out) == (2, "")
    assert "cannot read line 2" in result.err and "hush" not in result.err


def test_a_machine_without_systemd_is_told_what_else_there_is(
    service_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "_BOOTED", tmp_path / "nothing")
    result = service_cli("service", "install", "starter", "--now")
    assert (result.code, result.out) == (1, "")
    assert "stack run NAME`, which stays in front" in result.err
    assert not (tmp_path / "config").exists()


def test_a_service_is_listed_and_removed(service_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_BOOTED", tmp_path / "nothing")
    folder = tmp_path / "config/systemd/user"
    folder.mkdir(parents=True)
    (folder / "llama-stack-starter.service").write_text("[Unit]\n")
    (folder / "another.service").write_text("[Unit]\n")
    rows = service_cli("service", "status", "--json").json()
    conform(rows, "service-status")
    assert [(row["name"], row["state"]) for row in rows] == [("starter", "unknown")]
    assert service_cli("service", "status", "starter").code == 7
    assert "did you mean `starter`" in service_cli("service", "uninstall", "startr", "--yes").err
    assert service_cli("service", "uninstall", "starter").code == 2  # nobody is there to be asked
    for words, result in ((["--dry-run"], "would_remove"), (["--yes"], "removed")):
        assert (folder / "llama-stack-starter.service").exists()
        document = service_cli("service", "uninstall", "starter", *words, "--json").json()
        conform(document, "service-uninstall")
        assert document["result"] == result
    assert [path.name for path in folder.iterdir()] == ["another.service"]
    assert service_cli("service", "status").err.startswith("no service is installed")


def test_what_systemd_refuses_is_said_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    done = type("Done", (), {"returncode": 1, "stderr": "Access denied\n", "stdout": ""})
    monkeypatch.setattr("subprocess.run", lambda *words, **options: done)
    with pytest.raises(Failure) as raised:
        Systemd(is_system=True, environment={}).start("llama-stack-x")
    said = "`systemctl enable llama-stack-x.service`: Access denied"
    assert (raised.value.code, raised.value.message) == (4, said)
