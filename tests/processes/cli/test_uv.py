"""Runs of the real uv: what is shown, what its failures become, and that nothing of it is left."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llama_cli.console import ExitCode, Failure
from llama_cli.packages import uv as uv_module
from llama_cli.packages.uv import Progress, explain, run_uv

QUICK = {"UV_HTTP_RETRIES": "0", "UV_NO_CACHE": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def index_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/simple"


def install_from(index: str, folder: Path) -> list[str]:
    requirements = folder / "requirements.in"
    requirements.write_text("six\n")
    return ["pip", "compile", str(requirements), "--index-url", index, "--python", sys.executable]


def test_output_comes_back(tmp_path: Path) -> None:
    output = run_uv(["venv", "there", "--python", sys.executable], doing="make it", folder=tmp_path, environment={})
    assert "Creating virtual environment at: there" in output
    assert (tmp_path / "there/pyvenv.cfg").is_file()


def test_settings_that_would_bend_our_work_are_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_SYSTEM_PYTHON", "nonsense")  # uv refuses a value that is no boolean
    environment = {"UV_PYTHON": "/nonexistent/python", "UV_PYTHON_DOWNLOADS": "nonsense"}
    run_uv(["venv", "there", "--python", sys.executable], doing="make it", folder=tmp_path, environment=environment)
    assert (tmp_path / "there").is_dir()


def test_terminal_gets_what_uv_draws_and_the_text_has_no_colours(tmp_path: Path) -> None:
    screen = io.BytesIO()
    command = ["venv", "there", "--python", sys.executable, "--color", "always"]
    output = run_uv(command, doing="make it", folder=tmp_path, environment={}, progress=Progress(terminal=screen))
    assert b"\x1b[" in screen.getvalue()
    assert "\x1b" not in output
    assert "Creating virtual environment at: there" in output


def test_unreachable_index_names_host_and_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        index = index_of(listener)
    environment = {**QUICK, "HTTPS_PROXY": "", "HTTP_PROXY": "", "https_proxy": "", "http_proxy": ""}
    with pytest.raises(Failure) as caught:
        run_uv(install_from(index, tmp_path), doing="choose versions", folder=tmp_path, environment=environment)
    error = caught.value
    host = index.split("/")[2]
    assert error.code == ExitCode.NETWORK
    assert error.message == f"could not choose versions: `{host}` cannot be reached"
    assert error.hint is not None
    assert "`HTTPS_PROXY`" in error.hint
    assert "Connection refused" in error.details


def test_offline_says_what_to_leave_out(tmp_path: Path) -> None:
    command = install_from("https://index.example/simple", tmp_path)
    with pytest.raises(Failure) as caught:
        run_uv(command, doing="choose versions", folder=tmp_path, environment={**QUICK, "UV_OFFLINE": "1"})
    assert caught.value.code == ExitCode.NETWORK
    assert caught.value.hint == "run it once without `--offline` and `UV_OFFLINE`"


def test_lines_come_every_few_seconds_and_an_exception_ends_uv(hanging_index: socket.socket, tmp_path: Path) -> None:
    lines: list[str] = []

    def show(line: str) -> None:
        lines.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_uv(
            install_from(index_of(hanging_index), tmp_path),
            doing="choose versions",
            folder=tmp_path,
            environment=QUICK,
            progress=Progress(line=show, every_s=0.2),
        )
    [line] = lines
    assert re.fullmatch(r"choose versions, \d+ s(: .+)?", line)


class _Interrupted(io.BytesIO):
    """A screen whose user presses Ctrl-C once something is drawn."""

    def write(self, data: Any) -> int:
        written = super().write(data)
        if data == b"half a bar":
            raise KeyboardInterrupt
        return written


def test_what_is_said_after_half_a_bar_begins_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uv").write_text("#!/bin/sh\nprintf 'half a bar' >&2; exec sleep 600")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setattr(uv_module, "find_uv", lambda: str(tmp_path / "uv"))
    screen = _Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run_uv([], doing="make it", folder=tmp_path, environment={}, progress=Progress(terminal=screen))
    assert screen.getvalue() == b"half a bar\r\n"


def test_interrupt_ends_uv_too(hanging_index: socket.socket, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from llama_cli.packages.uv import run_uv\n"
        "run_uv(sys.argv[1:], doing='choose', folder=Path.cwd(), environment={})"
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


def test_a_line_ends_with_what_uv_wrote_last_without_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "#!/bin/sh\necho Resolved >&2; echo Downloading https://me:secret@a.example/torch >&2; read _ <go"
    (tmp_path / "uv").write_text(script)
    (tmp_path / "uv").chmod(0o755)
    os.mkfifo(tmp_path / "go")
    monkeypatch.setattr(uv_module, "find_uv", lambda: str(tmp_path / "uv"))
    lines: list[str] = []

    def show(line: str) -> None:
        if "torch" in line and not any("torch" in former for former in lines):
            (tmp_path / "go").write_text("go\n")
        lines.append(line)

    run_uv([], doing="install", folder=tmp_path, environment={}, progress=Progress(line=show, every_s=0.05))
    assert any(re.fullmatch(r"install, \d+ s: Downloading https://\*+@a.example/torch", line) for line in lines)
    assert not any("secret" in line for line in lines)


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
