"""Environments that the real uv builds from small wheels: whole or not there, one builder at a time."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runtime
from llama_cli.exits import Failure
from llama_cli.packages import environment as environment_module
from llama_cli.packages import uv as uv_module
from llama_cli.packages.environment import Environment
from llama_cli.packages.lock import HEAD, Lock, lock
from llama_cli.packages.pip_settings import UvSettings, read_settings
from llama_cli.packages.requirements import Requirements
from runtime.errors import Conflict

if TYPE_CHECKING:
    from tests.processes.cli.conftest import MakeWheel

Make = Callable[..., Lock]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "starter"


@pytest.fixture
def make_lock(folder: Path, settings: UvSettings, make_wheel: MakeWheel) -> Make:
    """A lock of `ours` at some version with some packages."""

    def make(*packages: str, ours: str = "1.0+sa") -> Lock:
        wheel = make_wheel("llama-stack-toolchain", ours, requires=["base"])
        return lock(Requirements.parse(packages), wheel, folder, settings)

    make_wheel("base", "1.0")
    make_wheel("tool", "1.0")
    make_wheel("tool", "2.0")
    return make


def from_index(made: Lock, listener: socket.socket) -> Lock:
    """The same lock, to be installed from there; none of it is in uv's cache."""
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    text = made.file.read_text()
    made.file.write_text(re.sub(r'url = "file://[^"]*/', f'url = "{address}/', text))
    assert address in made.file.read_text()
    quick = {"UV_HTTP_RETRIES": "0", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "UV_NO_CACHE": "1"}
    return replace(made, settings=UvSettings(environment=quick))


def ensure(environment: Environment, made: Lock, *, in_use: Sequence[Path] = ()) -> dict[str, float]:
    with environment.held():
        return environment.ensure(made, in_use=in_use)


def installed(environment: Environment) -> list[str]:
    """`name-version` of everything in it."""
    return sorted(path.stem for path in environment.path.glob("lib/python*/site-packages/*.dist-info"))


def answer(environment: Environment, code: str) -> str:
    """What its interpreter prints, with the bytecode cache on."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [str(environment.python), "-I", "-c", code]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout.strip()


def litter(folder: Path) -> list[str]:
    expected = (".venv", ".venvs", "pylock.toml", ".build.lock")
    return sorted(path.name for path in folder.iterdir() if path.name not in expected)


def environments(folder: Path) -> set[Path]:
    return set((folder / ".venvs").iterdir())


def grow_old(place: Path) -> None:
    """As if it had been chosen an hour ago."""
    then = time.time() - 3600
    os.utime(place, (then, then))


def test_built_environment_runs_what_the_lock_names(folder: Path, make_lock: Make) -> None:
    made = make_lock("tool<2")
    environment = Environment(folder)
    assert not environment.is_whole(made)
    assert list(ensure(environment, made)) == ["resolve", "install"]
    assert installed(environment) == ["base-1.0", "llama_stack_toolchain-1.0+sa", "tool-1.0"]
    [place] = environments(folder)
    assert answer(environment, "import sys, tool; print(tool.VERSION, sys.prefix)") == f"1.0 {place}"
    assert environment.python == place / "bin/python"
    assert (folder / ".venv").resolve() == place
    assert environment.is_whole(made)
    assert litter(folder) == []


def test_second_time_starts_no_uv(folder: Path, make_lock: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_lock()
    ensure(Environment(folder), made)
    monkeypatch.setattr(uv_module, "find_uv", lambda: "/nonexistent/uv")
    assert ensure(Environment(folder), make_lock()) == {}
    with pytest.raises(Failure, match="uv does not start"):
        ensure(Environment(folder), replace(made, python=Path(sys.executable)))


def test_changed_lock_changes_only_what_differs(folder: Path, make_lock: Make) -> None:
    environment = Environment(folder)
    ensure(environment, make_lock("tool<2"))
    ensure(environment, make_lock("tool>=2", ours="1.0+sb"))
    assert installed(environment) == ["base-1.0", "llama_stack_toolchain-1.0+sb", "tool-2.0"]
    assert answer(environment, "import tool; print(tool.VERSION)") == "2.0"
    assert litter(folder) == []


def test_the_users_own_constraints_choose_versions_and_hinder_no_install(
    folder: Path, make_lock: Make, make_wheel: MakeWheel, tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pins.txt").write_text("tool<2\n")
    monkeypatch.setenv("UV_CONSTRAINT", str(tmp_path / "pins.txt"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    wheel = make_wheel("llama-stack-toolchain", "1.0+sa", requires=["base"])
    environment = Environment(folder)
    ensure(environment, lock(Requirements(main=("tool",)), wheel, folder, read_settings(files=[])))
    assert "tool-1.0" in installed(environment)


def test_bytecode_of_what_stayed_is_kept_and_of_what_changed_is_not(folder: Path, make_lock: Make) -> None:
    environment = Environment(folder)
    ensure(environment, make_lock())
    answer(environment, "import base, llama_stack_toolchain")
    # As long as before and with the fixed time that our wheels have: Python could not tell that bytecode is stale.
    ensure(environment, make_lock(ours="1.0+sb"))
    assert answer(environment, "import llama_stack_toolchain as ours; print(ours.VERSION)") == "1.0+sb"
    [site] = environment.path.glob("lib/python*/site-packages")
    assert list(site.glob("base/__pycache__/__init__.*.pyc"))


def test_failed_install_leaves_the_old_environment(
    folder: Path, make_lock: Make, make_wheel: MakeWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Environment(folder)
    old = make_lock("tool<2")
    ensure(environment, old)
    new = make_lock("tool>=2")
    make_wheel("tool", "2.0", files={"tool/__init__.py": "VERSION = 'not what was locked'\n"})
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty-cache"))
    with pytest.raises(Failure, match="could not install packages") as caught:
        ensure(environment, new)
    assert "a package is not the one that was locked" in caught.value.message
    assert "sha256:" in caught.value.details
    assert answer(environment, "import tool; print(tool.VERSION)") == "1.0"
    assert environment.is_whole(old)
    assert not environment.is_whole(new)
    assert litter(folder) == []


def test_failed_first_build_leaves_nothing(
    folder: Path, make_lock: Make, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_lock()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty-cache"))
    (shelf / "base-1.0-py3-none-any.whl").unlink()
    with pytest.raises(Failure):
        ensure(Environment(folder), made)
    assert not (folder / ".venv").exists()
    assert environments(folder) == set()
    assert litter(folder) == []


def test_what_a_killed_build_left_is_cleared_away(folder: Path, make_lock: Make) -> None:
    made = make_lock()
    environment = Environment(folder)
    for half in (environment.place(made), folder / ".venvs/.new-1"):
        (half / "bin").mkdir(parents=True)
        (half / "half").write_text("half")
    (folder / ".venv.new").symlink_to("nowhere")
    ensure(environment, made)
    assert answer(environment, "import base; print(base.VERSION)") == "1.0"
    assert environments(folder) == {environment.place(made)}
    assert litter(folder) == []


def test_what_a_server_runs_from_stays_as_it_is_until_it_has_ended(folder: Path, make_lock: Make) -> None:
    environment = Environment(folder)
    old = make_lock("tool<2")
    ensure(environment, old)
    python = environment.python
    code = "import sys; print('up', flush=True); sys.stdin.readline(); import tool; print(tool.VERSION, sys.prefix)"
    pipe = subprocess.PIPE
    with subprocess.Popen([python, "-I", "-c", code], stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdout is not None and server.stdout.readline() == "up\n"
        grow_old(environment.place(old))
        new = make_lock("tool>=2")
        ensure(environment, new, in_use=[python])
        assert environments(folder) == {environment.place(old), environment.place(new)}
        assert answer(environment, "import tool; print(tool.VERSION)") == "2.0"
        # What it has not imported yet is still what it was built with.
        assert server.communicate("\n", timeout=30)[0] == f"1.0 {environment.place(old)}\n"
    newest = make_lock("tool>=2", ours="1.0+sb")
    grow_old(environment.place(new))
    ensure(environment, newest)
    assert environments(folder) == {environment.place(newest)}


def test_one_that_was_chosen_a_moment_ago_stays_for_the_server_that_is_about_to_start(
    folder: Path, make_lock: Make
) -> None:
    environment = Environment(folder)
    old, new = make_lock("tool<2"), None
    ensure(environment, old)
    grow_old(environment.place(old))
    assert ensure(environment, old) == {}  # for a server, it may be
    new = make_lock("tool>=2")
    ensure(environment, new)
    assert environments(folder) == {environment.place(old), environment.place(new)}


def test_going_back_to_one_that_stayed_takes_it_as_it_is(
    folder: Path, make_lock: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Environment(folder)
    ensure(environment, make_lock("tool<2"))
    ensure(environment, make_lock("tool>=2"))
    back = make_lock("tool<2")
    monkeypatch.setattr(uv_module, "find_uv", lambda: "/nonexistent/uv")
    assert ensure(environment, back)
    assert "tool-1.0" in installed(environment)
    assert answer(environment, "import tool; print(tool.VERSION)") == "1.0"


def test_an_environment_is_made_anew_without_the_damage_of_the_former_one(folder: Path, make_lock: Make) -> None:
    made = make_lock("tool")
    environment = Environment(folder)
    ensure(environment, made)
    [damaged] = environment.path.glob("lib/python*/site-packages/tool/__init__.py")
    # In place, as a disk or a person does it: whatever shares the file has it, uv's cache too where it is linked.
    damaged.unlink()
    damaged.write_text("VERSION = 'damaged'\n")
    ensure(environment, made)
    assert answer(environment, "import tool; print(tool.VERSION)") == "damaged", "nothing is looked into without need"
    (folder / "requirements.txt").write_text(HEAD)
    with environment.held():
        with pytest.raises(Conflict, match="is to be made anew, and a server runs from it"):
            environment.ensure(made, in_use=[environment.python], anew=True)
        assert environment.ensure(made, anew=True)
    assert answer(environment, "import tool; print(tool.VERSION)") == "2.0"
    files = [path for path in environment.path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in files if path.stat().st_nlink > 1] == []
    assert [path.name for path in (folder / ".venvs").iterdir()] == [environment.path.name]
    assert not (folder / "requirements.txt").exists(), "a lock of an earlier version of ours"


def test_damaged_environment_that_a_server_runs_from_is_left_alone(folder: Path, make_lock: Make) -> None:
    made = make_lock()
    environment = Environment(folder)
    ensure(environment, made)
    python = environment.python
    python.unlink()
    with pytest.raises(Conflict, match="is damaged, and a server runs from it"):
        ensure(environment, made, in_use=[python])
    assert list(environment.path.iterdir())


def test_environment_whose_interpreter_is_gone_is_made_anew(folder: Path, make_lock: Make) -> None:
    made = make_lock()
    environment = Environment(folder)
    ensure(environment, made)
    environment.python.unlink()
    environment.python.symlink_to("/nonexistent/python")
    assert ensure(environment, made)
    assert answer(environment, "import base; print(base.VERSION)") == "1.0"


def test_snapshot_wheels_that_no_lock_names_are_removed(folder: Path, make_lock: Make) -> None:
    folder.mkdir()
    former = folder / "wheel" / "llama_stack_toolchain-0.1+sold-py3-none-any.whl"
    former.parent.mkdir()
    former.write_text("")
    ensure(Environment(folder), make_lock())
    assert not former.exists()


def test_interrupt_leaves_the_old_environment(
    folder: Path, make_lock: Make, hanging_index: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Environment(folder)
    old = make_lock("tool<2")
    ensure(environment, old)
    new = from_index(make_lock("tool>=2"), hanging_index)

    def interrupt_when_asked() -> None:
        connection, _ = hanging_index.accept()
        with connection:
            os.kill(os.getpid(), signal.SIGINT)
            gone.wait(30)

    gone = threading.Event()
    waiter = threading.Thread(target=interrupt_when_asked)
    waiter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            ensure(environment, new)
    finally:
        gone.set()
        waiter.join()
    assert environment.is_whole(old)
    assert litter(folder) == []
    assert environments(folder) == {environment.place(old)}


BUILDER = """
import sys
from pathlib import Path
from llama_cli.packages.environment import Environment
sys.argv = ["/usr/bin/llama", "stack", "build", "starter", "--env", "TOKEN=secret"]
with Environment(Path.cwd()).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def start(script: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(Path(runtime.__file__).parents[1])}
    command = [sys.executable, "-c", script, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, text=True)


def test_second_builder_is_told_who_builds(folder: Path, make_lock: Make) -> None:
    made = make_lock()
    with start(BUILDER, folder) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Conflict) as caught:
            ensure(Environment(folder), made)
        assert caught.value.message == f"`starter` is being built by process {other.pid} (`llama stack build starter`)"
        assert caught.value.hint == f"wait for it, or end it with `kill {other.pid}`"
        other.communicate("", timeout=30)
    assert ensure(Environment(folder), made)


def test_second_builder_may_wait(folder: Path) -> None:
    with start(BUILDER, folder) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        threading.Timer(0.2, other.communicate, ("",)).start()
        with Environment(folder).held(30):
            assert other.wait(30) == 0


def test_second_builder_is_told_for_whom_it_waits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_module, "_REPORT_AFTER_S", 0.0)
    told: list[str] = []
    with start(BUILDER, folder) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        def tell(holder: str) -> None:
            told.append(holder)
            other.communicate("", timeout=30)

        with Environment(folder).held(30, on_wait=tell):
            assert told == [f"process {other.pid} (`llama stack build starter`)"]


def test_folder_and_lock_are_for_their_owner(folder: Path) -> None:
    with Environment(folder).held():
        assert (folder.stat().st_mode & 0o777, (folder / ".build.lock").stat().st_mode & 0o777) == (0o700, 0o600)


def test_two_builders_in_one_process_are_kept_apart_too(folder: Path) -> None:
    with Environment(folder).held(), pytest.raises(Conflict, match=f"is being built by process {os.getpid()} "):
        Environment(folder).held().__enter__()
    with Environment(folder).held():
        pass


KILLED = """
import sys
from pathlib import Path
from llama_cli.packages.pip_settings import UvSettings
from llama_cli.packages.lock import Lock, base_python
from llama_cli.packages.environment import Environment
environment = {"UV_HTTP_RETRIES": "0", "UV_NO_CACHE": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
settings = UvSettings(environment=environment)
file = Path("pylock.toml").resolve()
lock = Lock(file=file, digest=sys.argv[1], packages=(), python=base_python(), settings=settings)
environment = Environment(Path.cwd())
with environment.held():
    environment.ensure(lock)
"""


def test_uv_of_a_killed_builder_is_in_nobodys_way(folder: Path, make_lock: Make, hanging_index: socket.socket) -> None:
    made = make_lock()
    written = made.file.read_text()
    from_index(made, hanging_index)
    other = start(KILLED, folder, made.digest)
    connection, _ = hanging_index.accept()
    hanging_index.close()  # anything else that uv asks for is refused
    with connection:
        other.kill()
        other.communicate(timeout=30)
        [half] = environments(folder)
        made.file.write_text(written)
        environment = Environment(folder)
        assert ensure(environment, made)  # while that uv is still waiting for its answer
        assert environments(folder) == {environment.place(made)} and half != environment.place(made)
    assert answer(environment, "import base; print(base.VERSION)") == "1.0"
    assert litter(folder) == []
