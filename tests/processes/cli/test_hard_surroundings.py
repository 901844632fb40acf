"""Each command as a process where something around it is missing, full, closed or interrupted: it ends with a
documented code, with words where there is someone to read them, and leaves nothing half written.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_cli.exits import ExitCode
from scripts.bench.cli_budgets import LINES
from tests.support.command_tree import COMMANDS
from tests.support.command_world import GGUF
from tests.support.contained import Ended
from tests.support.fuzzing import ENVIRONMENT, checked, half_written, is_half_written, lay, lay_work
from tests.support.stack_home import TREE, clean_environment

ONE_EACH = {
    node.path: line for node in COMMANDS for line in reversed(LINES) if line == node.path or line.startswith(node.path)
}
"""A line for each command that starts nothing and asks nobody."""
WRITING = [
    "stack build mine --no-install",
    "stack build --config run.yaml --no-install",
    "stack build mine --offline",
    "stack init other --output {home}/run.yaml",
    "stack run mine -d --offline",
    "stack run mine -d --offline --port 0 --json",
    "stack restart starter",
    "model import weights.gguf --name small",
]
"""Command lines that write into the home."""
NO_MESS = ("Traceback", "Exception ignored", "BrokenPipe", "a bug of ours")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a user with a home in which something is built, and a server has crashed."""
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    lay_work(work)
    (work / "weights.gguf").write_bytes(GGUF)
    lay(home, {"servers/starter.json": "a server", "distributions/mine/run.yaml": "a run config"})
    record = json.loads((home / "servers/starter.json").read_text())
    (home / "servers/starter.json").write_text(
        json.dumps(record | {"config": str(home / "distributions/mine/run.yaml"), "options": {"target": "mine"}})
    )
    variables = {**clean_environment(), **ENVIRONMENT, "LLAMA_HOME": str(home), "PYTHONPATH": str(TREE)}
    return variables | {"PWD": str(work), "PYTHONDONTWRITEBYTECODE": "1"}


def run(words: list[str], environment: dict[str, str], *, before: str = "", after: str = "") -> Ended:
    """As a shell runs it: `before` in front of it, its streams where `after` says."""
    done = subprocess.run(
        ["sh", "-c", f'{before}\n"$@" {after}', "sh", sys.executable, "-m", "llama_cli.entry", *words],
        env=environment, cwd=environment["PWD"], capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    for mess in NO_MESS:
        assert mess not in out + err, (words, out, err)
    return Ended(tuple(words), done.returncode, out, err)


@pytest.mark.parametrize(
    "streams", ["| true", "<&-", ">&- 2>&-", "> /dev/full", "2> /dev/full", "<&- >&- 2>&-", "> /dev/full 2>&1"]
)
def test_streams_may_be_closed_full_or_left(streams: str, environment: dict[str, str]) -> None:
    if "full" in streams and not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    for line in ONE_EACH.values():
        ended = run(shlex.split(line)[1:], environment, after=streams)
        assert ended.code in list(ExitCode), (line, ended)
        # Its reader has gone, or never was: then nothing is said of it, and else somebody is told.
        assert ended.err or ended.out or "|" in streams or "2>" in streams or ">&-" in streams, line


@pytest.fixture(params=["read-only", "full"])
def home_mount(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[str]:
    """The lines of a shell that make the home like that, in a mount namespace of their own."""
    home = environment["LLAMA_HOME"]
    copied = f"{home}.copy"
    shutil.copytree(home, copied)
    made = {
        "read-only": f'mount --bind "{home}" "{home}" && mount -o remount,ro,bind "{home}"',
        "full": f'mount -t tmpfs -o size=64k tmpfs "{home}" && cp -r "{copied}/." "{home}" && '
        f'{{ head -c 1M /dev/zero > "{home}/all-that-fits" 2>/dev/null || true; }}',
    }[request.param]
    tried = subprocess.run(["unshare", "--mount", "sh", "-c", made], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"this user may not mount: {tried.stderr.strip()}")
    yield made


def test_a_home_may_be_read_only_or_full(home_mount: str, environment: dict[str, str], tmp_path: Path) -> None:
    home = environment["LLAMA_HOME"]
    left = tmp_path / "left"
    for line in [*WRITING, *(line.removeprefix("llama ") for line in ONE_EACH.values())]:
        words = shlex.split(line.replace("{home}", home))
        script = f'{home_mount}\n"$@"; code=$?; find "{home}" > "{left}"; exit $code'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-m", "llama_cli.entry", *words],
            env=environment, cwd=environment["PWD"], capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        checked(Ended(tuple(words), done.returncode, done.stdout, done.stderr))
        if line in WRITING:
            assert done.returncode in (ExitCode.FAILED, ExitCode.ACCESS), (line, done.stdout, done.stderr)
            told = done.stderr + done.stdout
            assert any(why in told for why in ("No space left", "Read-only", "may not write")), told
        assert not any(is_half_written(Path(path)) for path in left.read_text().splitlines()), left.read_text()


INTERRUPTED = [
    "stack list",
    "stack show starter",
    "stack list-providers --json",
    "model list --all",
    "stack validate starter",
]
MOMENTS_S = [0.0, 0.01, 0.03, 0.05, 0.08, 0.12, 0.17, 0.23, 0.3]
_STARTED = (
    "import os, sys\n"
    "sys.addaudithook(lambda event, args: event == 'import' and args[0] == 'llama_cli.main' and os.write(1, b'@'))\n"
    "from llama_cli.entry import main\n"
    "main()\n"
)
"""Says when Ctrl-C has been taken from Python, which answers it with a traceback before it runs anything of ours."""


_LOST = """
import sys, threading, weakref
from llama_cli.failures import Terminated
from llama_cli.main import say_again

sys.unraisablehook = say_again

class Thing:
    pass

def raises(reference):
    raise {kind}

thing = Thing()
reference = weakref.ref(thing, raises)
try:
    del thing
    threading.Event().wait(20)
    print("lost")
except {kind}:
    print("raised")
"""
"""As where Ctrl-C comes in the middle of Python's own callbacks of weak references, where nothing can be raised."""


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "Terminated", "ValueError"])
def test_an_interruption_where_nothing_can_be_raised_is_raised_soon_after(
    kind: str, environment: dict[str, str]
) -> None:
    code = _LOST.format(kind=kind)
    if kind == "Terminated":
        code = "from llama_cli import main; import signal; signal.signal(signal.SIGTERM, main._terminate)\n" + code
    if kind == "ValueError":
        code = code.replace("wait(20)", "wait(0.1)")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30)
    expected = ("lost", True) if kind == "ValueError" else ("raised", False)
    assert (done.stdout.strip(), "ValueError" in done.stderr) == expected, done.stderr
    assert kind == "ValueError" or not done.stderr


@pytest.mark.parametrize("line", INTERRUPTED)
def test_an_interruption_at_any_moment_ends_it_in_good_order(line: str, environment: dict[str, str]) -> None:
    for moment in MOMENTS_S:
        process = subprocess.Popen(
            [sys.executable, "-c", _STARTED, *shlex.split(line)], env=environment, cwd=environment["PWD"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdout is not None
        assert os.read(process.stdout.fileno(), 1) == b"@"
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        out, err = (text.decode() for text in process.communicate(timeout=30))
        assert process.returncode in (0, ExitCode.INTERRUPTED, -signal.SIGINT), (moment, out, err)
        assert not any(mess in out + err for mess in NO_MESS), (moment, out, err)
    assert half_written(Path(environment["LLAMA_HOME"])) == []
