"""`llama stack exec`: what a command gets, which signals reach it, how it ends, and what ends with it.

The server is `contract_server.py`, which can be told to fail; `test_exec_stack.py` has a real one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support import command_line
from tests.support.descendants import children, descendants
from tests.support.screen import CTRL_C, Screen
from tests.support.stack_home import TREE, Home, Result, clean_environment, is_running

pytestmark = pytest.mark.e2e

CTRL_Z = "\x1a"
COUNTS = """
import os, signal, sys

got = []
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1"):
    signal.signal(getattr(signal, name), lambda number, frame: (got.append(number), print("got", number, flush=True)))
print("ready", os.getpid(), flush=True)
for line in sys.stdin:
    if line.strip() == "end":
        break
    print("read", line.strip(), flush=True)
sys.exit(40 + len(got))
"""
"""Says which signals it gets, and ends with how many there were."""

LEAVES = """
import os, signal, subprocess, sys

waits = [sys.executable, "-c", "import signal; print(1, flush=True); signal.pause()"]
if os.fork() == 0:  # a daemon: of a session of its own, and nobody's child
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # so that it has to be killed
        child = subprocess.Popen(waits, stdout=subprocess.PIPE)
        child.stdout.readline()
        print(os.getpid(), child.pid, flush=True)
        signal.pause()
    os._exit(0)
os.wait()
sys.stdin.readline()
"""
"""Starts what outlives it, and waits for a line."""


@pytest.fixture
def llama(tmp_path: Path) -> Home:
    environment = {**clean_environment(), "PYTHONPATH": str(TREE), "COLUMNS": "100"}
    return Home(tmp_path / "home", llama=[sys.executable, str(Path(command_line.__file__))], environment=environment)


def run(llama: Home, script: str, *options: str, **environment: str) -> Result:
    return llama("stack", "exec", *options, "--", sys.executable, "-c", script, **environment)


def begin(llama: Home, script: str, *options: str, **environment: str) -> subprocess.Popen[str]:
    return llama.start("stack", "exec", *options, "--", sys.executable, "-c", script, **environment)


def line_of(process: subprocess.Popen[str]) -> list[str]:
    """The words of the next line that the command prints."""
    assert process.stdout is not None
    return process.stdout.readline().split()


def all_have_run(pid: int, *, limit_s: float = 30.0) -> None:
    """Wait until neither exec nor one of its children has a signal that it has not taken yet: of two that are alike and
    wait, only one comes, whereas others may have had both.
    """
    end = time.monotonic() + limit_s
    while any(map(pending, (pid, *(child.pid for child in children(pid))))):
        assert time.monotonic() < end, "signals are not taken"
        time.sleep(0.001)


def pending(pid: int) -> int:
    """The signals that wait for a process, as bits; proc_pid_status(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:")))


def record(llama: Home) -> dict[str, object]:
    stated: dict[str, object] = json.loads((llama.folder / "servers" / "starter.json").read_text())
    return stated


def nothing_is_left(llama: Home) -> bool:
    instances = llama.folder / "distributions" / "starter" / "instances"
    return not list((llama.folder / "servers").glob("*.json")) and not list(instances.glob("*"))


def test_exec_ends_as_docker_does(llama: Home, tmp_path: Path) -> None:
    nowhere = llama("stack", "exec", "--", str(tmp_path / "nowhere"))
    assert (nowhere.code, f"there is no command `{tmp_path}/nowhere`" in nowhere.err) == (127, True)
    assert "its folder on `PATH`?" in llama("stack", "exec", "--", "no-such-command").err
    (tmp_path / "text").write_text("no program")
    for what in ("text", ""):
        assert llama("stack", "exec", "--", str(tmp_path / what)).code == 126
    assert not (llama.folder / "distributions").exists(), "nothing was built for what cannot be run"
    assert run(llama, "", FAKE_BUILD="fails").code == 125
    for script, code in (("raise SystemExit(42)", 42), ("", 0), ("import os; os.kill(os.getpid(), 9)", 128 + 9)):
        assert run(llama, script).code == code
    assert nothing_is_left(llama)


def test_a_script_is_run_as_every_shell_does_it(llama: Home, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    broken = llama("stack", "exec", "--", str(script))
    assert (broken.code, "is the program there that its first line names?" in broken.err) == (127, True)
    script.write_text('echo "$1"; exit 5')
    by_sh = llama("stack", "exec", "-q", "--", str(script), "--by sh")
    assert (by_sh.code, by_sh.out, by_sh.err) == (5, "--by sh\n", "")


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ([], "there is no command to run with `starter`", "as in `llama stack exec starter -- pytest -q`"),
        (["mine"], "there is no command to run with `mine`", "as in `llama stack exec starter -- pytest -q`"),
        (["mine", "--"], "there is no command to run with `mine`", "as in `llama stack exec starter -- pytest -q`"),
        (["starter", "pytest"], "`pytest` stands before `--`", "as in `llama stack exec starter -- pytest -q`; see "),
        (["starter", "pytest", "-x"], "no such option: -x", "as in `llama stack exec starter -- pytest -q`; see "),
    ],
)
def test_a_command_stands_behind_dashes(words: list[str], error: str, hint: str, llama: Home) -> None:
    result = llama("stack", "exec", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {error}\n\nhint: {hint}")


def test_the_stack_is_that_of_the_folder_or_else_the_starter(llama: Home, tmp_path: Path) -> None:
    lists = ("stack", "exec", "--", "sh", "-c", "ls $LLAMA_HOME/distributions")
    assert llama(*lists).out == "starter\n"
    (tmp_path / "run.yaml").write_text("")
    assert llama(*lists, cwd=tmp_path).out.split() == ["run", "starter"], "the stand-in calls a file by its name"


def test_streams_and_open_descriptors_are_the_commands(llama: Home, tmp_path: Path) -> None:
    data = os.urandom(1 << 20)
    (tmp_path / "extra").write_bytes(b"also this")
    with (tmp_path / "extra").open("rb") as extra:
        script = f"cat; cat /dev/fd/{extra.fileno()}; echo words >&2; ls /dev/fd >&2"
        command = [*llama.llama, "stack", "exec", "-q", "--", "sh", "-c", script]
        done = subprocess.run(
            command, input=data, env=llama.environment, pass_fds=[extra.fileno()], capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout == data + b"also this") == (0, True)
    words, *descriptors = done.stderr.decode().split()
    assert words == "words"
    assert len(descriptors) == 5, "the three, that one, and the folder that is listed"


def test_variables_say_where_the_stack_is(llama: Home) -> None:
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    real = {"OPENAI_API_KEY": "sk-real", "OPENAI_ADMIN_KEY": "sk-admin", "ANTHROPIC_API_KEY": "sk-ant-real"}
    result = run(llama, script, "--env", "ONLY_THERE=1", **real, HTTP_PROXY="http://proxy.example:1", NO_PROXY="a.b")
    found = json.loads(result.out)
    url = found["LLAMA_STACK_URL"]
    assert url.startswith("http://127.0.0.1:")
    assert found["OPENAI_BASE_URL"] == found["OPENAI_API_BASE"] == f"{url}/v1"
    assert {found[f"{name}_CLIENT_BASE_URL"] for name in ("LLAMA_STACK", "OGX")} == {url}
    assert found["LLAMA_STACK_PORT"] == found["OGX_PORT"] == url.rpartition(":")[2]
    assert (found["LLAMA_STACK_MODEL"], found["LLAMA_STACK_EMBEDDING_MODEL"]) == ("llama/small", "all-minilm")
    assert (found["OPENAI_API_KEY"], found["ANTHROPIC_API_KEY"]) == ("none", "sk-ant-real")
    assert not {"OPENAI_ADMIN_KEY", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "ONLY_THERE"} & found.keys()
    assert found["NO_PROXY"] == found["no_proxy"] == "a.b,127.0.0.1,localhost"
    asks = "import os, urllib.request as u; print(u.urlopen(os.environ['LLAMA_STACK_URL'] + '/environment').read())"
    of_the_server = run(llama, asks, "--env", "ONLY_THERE=1", **real).out
    assert '"ONLY_THERE": "1"' in of_the_server and '"OPENAI_API_KEY": "sk-real"' in of_the_server


@pytest.mark.parametrize("whom", ["exec", "the group"])
def test_a_signal_reaches_the_command_once(whom: str, llama: Home) -> None:
    """Also one that comes from a terminal, or from `timeout`, to all of a group."""
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1] * 2
    process = begin(llama, COUNTS)
    assert line_of(process)[0] == "ready"
    for number in numbers:
        if whom == "exec":
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
        assert line_of(process) == ["got", str(int(number))]
        all_have_run(process.pid)
    out, _ = process.communicate("end\n", timeout=60)
    assert (out, process.returncode) == ("", 40 + len(numbers))
    assert nothing_is_left(llama)


def test_a_signal_that_was_switched_off_stays_off(llama: Home) -> None:
    script = "import signal; print([signal.getsignal(one).name for one in (signal.SIGHUP, signal.SIGTERM)])"
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *llama.llama, "stack", "exec", "--", sys.executable]
    done = subprocess.run(
        [*command, "-c", script], env=llama.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "['SIG_IGN', 'SIG_DFL']\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_before_the_command_has_begun_ends_all(number: signal.Signals, code: int, llama: Home) -> None:
    process = begin(llama, "print('begun')", FAKE_BEHAVIOUR="never-ready")
    log = llama.folder / "distributions" / "starter" / "logs" / "starter.log"
    with psutil.Popen(["tail", "-F", "-n", "+1", str(log)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tail:
        assert tail.stdout.readline()  # the server is there
        tail.kill()
    server = record(llama)["pid"]
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert (out, process.returncode) == ("", code)
    assert isinstance(server, int) and not is_running(server)
    assert nothing_is_left(llama)


def test_what_a_command_leaves_running_ends_with_it(llama: Home) -> None:
    process = begin(llama, LEAVES)
    left = list(map(int, line_of(process)))
    assert all(map(is_running, left)) and len(left) == 2
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert not any(map(is_running, left))


def test_nothing_outlives_an_exec_that_is_killed(llama: Home) -> None:
    process = begin(llama, LEAVES)
    left = [psutil.Process(int(pid)) for pid in line_of(process)]
    below = descendants(process.pid)
    assert len({*left, *below}) == 5, "a server, a keeper, the command, the daemon and its child"
    process.kill()
    _, alive = psutil.wait_procs([*{*left, *below}], timeout=60)
    assert alive == []
    process.communicate()
    assert llama("stack", "ps", "-q").out == ""
    assert nothing_is_left(llama)


def test_a_command_and_what_it_has_started_end_with_their_keeper(llama: Home) -> None:
    process = begin(llama, LEAVES)
    left = [psutil.Process(int(pid)) for pid in line_of(process)]
    keeper = left[0].parent()
    assert keeper is not None and keeper.ppid() == process.pid
    below = descendants(keeper.pid)
    assert len(below) == 3, "the command, the daemon and its child"
    keeper.kill()
    _, alive = psutil.wait_procs(below, timeout=60)
    assert alive == []
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "is gone: it was killed by SIGKILL" in err) == (125, True)
    assert nothing_is_left(llama)


def test_a_command_that_takes_too_long_is_ended(llama: Home) -> None:
    result = run(llama, "import signal; signal.pause()", "--time-limit", "200ms", "--logs", "never")
    assert (result.code, result.out) == (124, "")
    assert result.err.splitlines()[-3] == f"error: `{sys.executable}` was ended: it took longer than 200ms"
    assert nothing_is_left(llama)


@pytest.mark.parametrize(
    ("behaviour", "options", "error"),
    [
        ("fails-3", (), "error: `starter` did not start: the reason it gave"),
        ("gets-SIGTERM", (), "error: `starter` was stopped before it was ready"),
        ("never-ready", ("--timeout", "500ms"), "error: `starter` is not ready after 500ms"),
        ("", ("--wait", "model=nope"), "error: model `nope` is not served"),
        ("", ("--alias", "nope"), "error: `--alias`: `nope` is not `NAME=MODEL`"),
        ("", ("--ready-file", "-"), "error: `--ready-file`: standard output is the command's"),
        ("", ("--log-file", "/no/such/folder/log"), "error: `--log-file`: there is no folder `/no/such/folder`"),
    ],
)
def test_what_goes_wrong_around_a_command_is_125(
    behaviour: str, options: tuple[str, ...], error: str, llama: Home
) -> None:
    result = run(llama, "print('begun')", *options, FAKE_BEHAVIOUR=behaviour)
    assert (result.code, result.out) == (125, "")
    assert error in result.err
    assert nothing_is_left(llama)


@pytest.mark.parametrize(("its_code", "code"), [(0, 125), (5, 5)])
def test_a_server_that_is_gone_is_no_success(its_code: int, code: int, llama: Home) -> None:
    script = (
        "import json, os, sys, time\n"
        "pid = json.load(open(os.environ['LLAMA_HOME'] + '/servers/starter.json'))['pid']\n"
        "os.kill(pid, 9)\n"
        # Nobody can wait for a zombie while one of its threads is still ending.
        "state = lambda: open(f'/proc/{pid}/stat').read().split()[2]\n"
        "while os.path.exists(f'/proc/{pid}') and (state() != 'Z' or os.listdir(f'/proc/{pid}/task')[1:]): pass\n"
        f"sys.exit({its_code})\n"
    )
    result = run(llama, script)
    assert result.code == code
    assert "`starter` was gone before `" in result.err and "killed by SIGKILL" in result.err
    assert nothing_is_left(llama)


@pytest.mark.parametrize("logs", ["failure", "always", "never"])
def test_the_log_is_shown_when_it_is_wanted(logs: str, llama: Home) -> None:
    failed = run(llama, "import sys; sys.exit('no')", "--logs", logs)
    assert (failed.code, failed.out) == (1, "")
    log = llama.folder / "distributions" / "starter" / "logs" / "starter.log"
    no_warnings = f"no warnings in the log of `starter`, {log}\n"  # the stand-in's are of another day
    assert failed.err == "no\n" + (no_warnings if logs == "failure" else "")
    assert run(llama, "", "--logs", logs).err == ""


def test_a_ready_file_is_there_while_the_command_runs(llama: Home, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    result = run(llama, f"print(open({str(ready)!r}).read())", "--ready-file", str(ready))
    assert json.loads(result.out)["models"] == ["all-minilm", "llama/small"]
    assert not ready.exists()


def test_a_terminal_is_the_commands(llama: Home) -> None:
    script = f"import os; print([os.isatty(stream) for stream in range(3)]);{COUNTS}"
    command = [*llama.llama, "stack", "exec", "--", sys.executable, "-c", script]
    with Screen(command, llama.environment) as screen:
        screen.wait_for("^`starter` at http://127.0.0.1:\\d+$")
        screen.wait_for(r"^\[True, True, True\]$")
        screen.wait_for("^ready ")
        screen.type(CTRL_C)
        screen.wait_for("got 2$")
        screen.enter("here I am")
        screen.wait_for("^read here I am$")
        screen.enter("end")
        assert screen.wait_until_it_ends() == 41


def test_a_shell_stops_and_continues_it(llama: Home) -> None:
    folder = llama._cwd()
    (folder / "counts.py").write_text(COUNTS)
    with Screen(["sh", "-i"], {**llama.environment, "PS1": "$ "}, cwd=folder) as screen:
        screen.wait_for_line(r"\$ ")
        screen.enter(f"{' '.join(llama.llama)} stack exec -q -- {sys.executable} counts.py | tee all")
        screen.wait_for("^ready ")
        screen.type(CTRL_Z)
        screen.wait_for("Stopped|Suspended")
        screen.enter("fg")
        screen.enter("still there")
        screen.wait_for("^read still there$")
        screen.enter("end")
        screen.wait_for_line(r"\$ ")
        screen.enter("cat all")
        screen.wait_for("^read still there$")
        screen.enter("exit")
