"""Runs of the real uv: what is shown, what its failures become, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from llama_cli.exits import ExitCode, Failure
from llama_cli.packages import uv as uv_module
from llama_cli.packages.uv import explain, run_uv
from llama_cli.terminal import progress

QUICK = {"UV_HTTP_RETRIES": "0", "UV_NO_CACHE": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def index_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/simple"


def install_from(index: str, folder: Path) -> list[str]:
    requirements = folder / "requirements.in"
    requirements.write_text("six\n")
    return ["pip", "compile", str(requirements), "--index-url", index, "--python", sys.executable]


def make(arguments: list[str], folder: Path, **environment: str) -> str:
    return run_uv(arguments, doing="make it", folder=folder, environment=environment, step="making it")


def test_output_comes_back(tmp_path: Path) -> None:
    output = make(["venv", "there", "--python", sys.executable], tmp_path)
    assert "Creating virtual environment at: there" in output
    assert (tmp_path / "there/pyvenv.cfg").is_file()


def test_settings_that_would_bend_our_work_are_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_SYSTEM_PYTHON", "nonsense")  # uv refuses a value that is no boolean
    environment = {"UV_PYTHON": "/nonexistent/python", "UV_PYTHON_DOWNLOADS": "nonsense"}
    make(["venv", "there", "--python", sys.executable], tmp_path, **environment)
    assert (tmp_path / "there").is_dir()


def test_what_comes_back_has_no_colours(tmp_path: Path) -> None:
    command = ["venv", "there", "--python", sys.executable, "--color", "always"]
    output = make(command, tmp_path)
    assert "\x1b" not in output
    assert "Creating virtual environment at: there" in output


def test_unreachable_index_names_host_and_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        index = index_of(listener)
    environment = {**QUICK, "HTTPS_PROXY": "", "HTTP_PROXY": "", "https_proxy": "", "http_proxy": ""}
    with pytest.raises(Failure) as caught:
        make(install_from(index, tmp_path), tmp_path, **environment)
    error = caught.value
    host = index.split("/")[2]
    assert error.code == ExitCode.NETWORK
    assert error.message == f"could not make it: `{host}` cannot be reached"
    assert error.hint is not None
    assert "`HTTPS_PROXY`" in error.hint
    assert "Connection refused" in error.details


def test_offline_says_what_to_leave_out(tmp_path: Path) -> None:
    command = install_from("https://index.example/simple", tmp_path)
    with pytest.raises(Failure) as caught:
        make(command, tmp_path, **QUICK, UV_OFFLINE="1")
    assert caught.value.code == ExitCode.NETWORK
    assert caught.value.hint == "run it once without `--offline` and `UV_OFFLINE`"


def test_progress_is_shown_and_an_exception_ends_uv(
    hanging_index: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("llama_cli.packages.uv_screen.UvScreen.feed", lambda _, data: interrupt(data))
    with progress.display() as shown, pytest.raises(KeyboardInterrupt):
        make(install_from(index_of(hanging_index), tmp_path), tmp_path, **QUICK)
    assert set(shown.seconds) == {"making it"}


def test_interrupt_ends_uv_too(hanging_index: socket.socket, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from llama_cli.packages.uv import run_uv\n"
        "run_uv(sys.argv[1:], doing='choose', folder=Path.cwd(), environment={}, step='choosing')"
    )
    command = [sys.executable, "-c", script, *install_from(index_of(hanging_index), tmp_path)]
    environment = {**os.environ, **QUICK, "PYTHONPATH": str(Path(uv_module.__file__).parents[2])}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    connection, _ = hanging_index.accept()
    with connection, process:
        connection.settimeout(120)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        while connection.recv(4096):  # its request; then the end, since uv is gone
            pass
    assert process.returncode == -signal.SIGINT
    assert b"KeyboardInterrupt" in errors


def test_an_interrupt_in_the_middle_of_its_start_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(process := Popen(["sleep", "1000"], **options))
        signal.raise_signal(signal.SIGINT)
        return process

    Popen = subprocess.Popen
    monkeypatch.setattr(uv_module.subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt):
        make(["--version"], tmp_path)
    assert started[0].poll() == -signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_pseudo_terminals_uv_goes_on_through_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "openpty", Mock(side_effect=OSError("out of pty devices")))
    assert "Creating virtual environment at: there" in make(["venv", "there", "--python", sys.executable], tmp_path)


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        (
            "error: Failed to install: a.whl\n  cause: No space left on device (os error 28)\n",
            ExitCode.FAILED,
            "the disk is full",
        ),
        (
            "error: Failed to fetch: `https://index.example/six/`\n  cause: invalid peer certificate: UnknownIssuer\n",
            ExitCode.NETWORK,
            "the certificate of `index.example` is not trusted",
        ),
        (
            "error: Failed to fetch: `https://index.example/simple/six/`\n"
            "  cause: HTTP status client error (401 Unauthorized) for url (https://index.example/simple/six/)\n",
            ExitCode.NETWORK,
            "`index.example` refuses us",
        ),
        (
            "error: Failed to fetch: `https://index.example/six/`\n  cause: client error (Connect)\n"
            "  cause: tunnel error: proxy authorization required\n",
            ExitCode.NETWORK,
            "`index.example` cannot be reached: the proxy refuses us",
        ),
        (
            "error: Failed to fetch: `http://index.example/six/`\n"
            "  cause: HTTP status client error (407 Proxy Authentication Required) for url (http://index.example/)\n",
            ExitCode.NETWORK,
            "`index.example` cannot be reached: the proxy refuses us",
        ),
        (
            "error: Request failed after 3 retries in 4.9s\n  cause: Failed to fetch: https://index.example/six.whl\n"
            "  cause: HTTP status server error (503 Service (un)available) for url (https://index.example/six.whl)\n",
            ExitCode.NETWORK,
            "`index.example` answered `503 Service (un)available`",
        ),
        (
            "error: Failed to build `llama-cpp-python==0.3`\n  cause: The build backend returned an error\n",
            ExitCode.NETWORK,
            "`llama-cpp-python==0.3` has no ready wheel for this machine and does not compile",
        ),
        (
            "error: Failed to read `a @ file:///a.whl`\n  cause: Hash mismatch for `a`\n",
            ExitCode.NETWORK,
            "a package is not the one that was locked",
        ),
        (
            "error: No solution found when resolving dependencies\n  cause: Because a was not found\n         and you"
            " require a, we can conclude that your requirements are unsatisfiable.\n\nhint: something\n",
            ExitCode.FAILED,
            "Because a was not found and you require a, we can conclude that your requirements are unsatisfiable.",
        ),
        ("error: something new\n", ExitCode.FAILED, "something new"),
        ("", ExitCode.FAILED, "uv said nothing"),
    ],
)
def test_failure_in_our_words(output: str, code: ExitCode, message: str) -> None:
    error = explain(output, doing="do it", environment={})
    assert (error.code, error.message) == (code, f"could not do it: {message}")


def test_proxy_is_named_without_its_password() -> None:
    output = "error: Failed to fetch: `https://me:secret@index.example/simple/`\n  cause: dns error\n"
    error = explain(output, doing="do it", environment={"HTTPS_PROXY": "http://me:secret@proxy.example:3128"})
    assert "through the proxy `http://********@proxy.example:3128` (HTTPS_PROXY)" in error.message
    assert "secret" not in error.message + error.details + str(error.hint)


def test_password_with_a_slash_is_no_exception() -> None:
    output = "error: Failed to fetch: `https://bob:pa/ss@index.example/simple/`\n  cause: dns error\n"
    error = explain(output, doing="do it", environment={})
    assert error.message == "could not do it: `index.example` cannot be reached"
    assert error.details == output.replace("bob:pa/ss", "********").rstrip("\n")


def test_uv_from_the_path_is_the_second_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="uv is not installed"):
        uv_module.find_uv()
    (tmp_path / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "uv").chmod(0o755)
    assert uv_module.find_uv() == str(tmp_path / "uv")
