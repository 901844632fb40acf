"""`scripts/run` as it is typed: from anywhere, by a link, what it says before anything takes time, and how it sets up
what is half there.

What it sets up is in `test_first_use.py`; here a stand-in takes uv's place.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import llama_cli

TREE = Path(llama_cli.__file__).parents[1]
SAYS_WHERE_AND_WHAT = '#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n'


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clone, with blanks in its name, with the scripts alone and nothing set up."""
    tree = tmp_path / "a clone of llama"
    for name in ("_setup.sh", "run", "test"):
        program(tree / "scripts" / name, (TREE / "scripts" / name).read_text())
    (tree / "pyproject.toml").write_text("[project]\n")
    return tree


@pytest.fixture
def set_up(tree: Path) -> Path:
    """The same, with a `llama` that says where it runs and with what."""
    program(tree / ".venv/bin/python", "#!/bin/sh\nexit 1\n")
    program(tree / ".venv/bin/llama", SAYS_WHERE_AND_WHAT)
    count = subprocess.run(["cksum"], input=b"[project]\n", capture_output=True, check=True).stdout.decode().strip()
    (tree / ".venv/.set-up").write_text(f"{count} {tree}")
    return tree


def run(script: str | Path, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_relative_paths_are_the_callers(set_up: Path, tmp_path: Path) -> None:
    here = tmp_path / "my own folder"
    here.mkdir()
    done = run(os.path.relpath(set_up / "scripts/run", here), "--env-file", "my own.env", cwd=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(here), "stack", "run", "starter", "--env-file", "my own.env"]


def test_a_link_to_it_works_and_a_link_to_that(set_up: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/llama-run").symlink_to(set_up / "scripts/run")
    (tmp_path / "short").symlink_to("bin/llama-run")
    for name in ("bin/llama-run", "short"):
        done = run(tmp_path / name, "-d", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [str(tmp_path), "stack", "run", "starter", "-d"]


def test_a_word_comes_before_anything_that_takes_time(tree: Path, tmp_path: Path) -> None:
    """The Python that would set it up waits until the word was read."""
    os.mkfifo(tmp_path / "read")
    waits = f'#!/bin/sh\n[ "$1" = -c ] || exit 3\nread -r _ <"{tmp_path}/read"\n'
    python = program(tmp_path / "python", waits)
    with subprocess.Popen(
        [tree / "scripts/run", "--port", "0"], cwd=tmp_path, env=os.environ | {"PYTHON": str(python)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline() == f"setting up the command line in {tree}/.venv\n"
        (tmp_path / "read").write_text("\n")
        assert process.wait(30) == 3


def test_what_sets_it_up_gets_the_stamp_and_the_words(tree: Path, tmp_path: Path) -> None:
    python = program(tmp_path / "python", '#!/bin/sh\n[ "$1" = -c ] || { printf "%s\\n" "$@"; exit 3; }\n')
    done = run(tree / "scripts/run", "-q", "--env", "A=b c", cwd=tmp_path, PYTHON=str(python))
    script, stamp, *words = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (3, ""), "it says nothing with -q, and does not go on"
    assert script == f"{tree}/scripts/_set_up.py"
    assert stamp.endswith(f" {tree}")
    assert words == ["-q", "--env", "A=b c"]


@pytest.mark.parametrize("what", ["another pyproject.toml", "another place", "no interpreter"])
def test_what_was_made_from_something_else_is_made_again(what: str, set_up: Path, tmp_path: Path) -> None:
    if what == "another pyproject.toml":
        (set_up / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    elif what == "another place":
        set_up = set_up.rename(tmp_path / "moved")
    else:
        (set_up / ".venv/bin/python").unlink()
    python = program(tmp_path / "python", '#!/bin/sh\n[ "$1" = -c ] || exit 3\n')
    assert run(set_up / "scripts/run", cwd=tmp_path, PYTHON=str(python)).returncode == 3


def test_without_a_python_that_is_new_enough_it_says_so(tree: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("sh", "dirname", "readlink", "cksum", "cat"):
        (bare / name).symlink_to(shutil.which(name) or name)
    done = run(tree / "scripts/run", cwd=tmp_path, PATH=str(bare), PYTHON="")
    assert done.returncode == 1
    assert "error: no Python >= 3.11 was found\nhint: install one, or name it: PYTHON=" in done.stderr


@pytest.mark.parametrize("ends", ["", "exit 1"], ids=["is not there", "is too old"])
def test_a_python_that_is_named_and_cannot_be_used_is_an_error(ends: str, tree: Path, tmp_path: Path) -> None:
    named = program(tmp_path / "my python", f"#!/bin/sh\n{ends}\n") if ends else tmp_path / "my python"
    done = run(tree / "scripts/run", cwd=tmp_path, PYTHON=str(named))
    assert done.returncode == 1
    assert f"error: `PYTHON` is `{named}`, which is no Python >= 3.11 that can be started\nhint: " in done.stderr
    assert not (tree / ".venv").exists()


def test_the_reference_is_written_from_anywhere(set_up: Path, tmp_path: Path) -> None:
    program(set_up / ".venv/bin/python", SAYS_WHERE_AND_WHAT)
    program(set_up / "scripts/reference", (TREE / "scripts/reference").read_text())
    done = run(set_up / "scripts/reference", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()) == (0, [str(set_up), "scripts/_reference.py"])


@pytest.fixture
def whole(tree: Path) -> Path:
    """The clone with all that sets it up."""
    program(tree / "scripts/_set_up.py", (TREE / "scripts/_set_up.py").read_text())
    for name in ("llama_cli", "runtime"):
        (tree / name).symlink_to(TREE / name)
    (tree / "pyproject.toml").write_text('[project]\ndependencies = ["uv>=0.9"]\n')
    return tree


def stand_in(folder: Path, text: str) -> str:
    """A PYTHONPATH with a `uv` that does what the script says."""
    uv = program(folder / "uv-of-ours", f'#!/bin/sh\n[ "$1" = --version ] && exit\n{text}\n')
    program(folder / "uv/__init__.py", f"def find_uv_bin():\n    return {str(uv)!r}\n")
    return str(folder)


def test_an_environment_whose_interpreter_was_removed_is_made_anew(whole: Path, tmp_path: Path) -> None:
    path = stand_in(tmp_path / "path", f'echo 1 >>"{tmp_path}/asked"')
    for _ in range(2):
        done = run(sys.executable, str(whole / "scripts/_set_up.py"), "a stamp", cwd=tmp_path, PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text() == "1\n", "what is set up is left alone"
    python = whole / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nonexistent/python")
    done = run(sys.executable, str(whole / "scripts/_set_up.py"), "a stamp", cwd=tmp_path, PYTHONPATH=path)
    assert (done.returncode, (tmp_path / "asked").read_text()) == (0, "1\n1\n"), done.stderr
    assert run(python, "-c", "", cwd=tmp_path).returncode == 0


def test_what_was_interrupted_is_made_anew(whole: Path, tmp_path: Path) -> None:
    """Also where it was to be brought up to date: it can hold half a package."""
    path = stand_in(tmp_path / "path", f'[ ! -e "{tmp_path}/fails" ]')
    script = str(whole / "scripts/_set_up.py")
    assert run(sys.executable, script, "a stamp", cwd=tmp_path, PYTHONPATH=path).returncode == 0
    half = whole / ".venv/half-a-package"
    half.touch()
    (tmp_path / "fails").touch()
    assert run(sys.executable, script, "another stamp", cwd=tmp_path, PYTHONPATH=path).returncode != 0
    (tmp_path / "fails").unlink()
    assert half.exists()
    assert run(sys.executable, script, "another stamp", cwd=tmp_path, PYTHONPATH=path).returncode == 0
    assert not half.exists()


def test_uv_ends_with_what_sets_it_up(whole: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    path = stand_in(tmp_path / "path", f'exec 3>"{tmp_path}/begun"; echo >&3; exec sleep 1000')
    process = subprocess.Popen(
        [sys.executable, whole / "scripts/_set_up.py", "a stamp"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process, (tmp_path / "begun").open() as begun:
        assert begun.readline() == "\n"
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert "error: terminated" in process.stderr.read()
        assert process.wait(30) == 143
        assert begun.read() == "", "uv, which held it open, is gone"


def test_an_interpreter_without_pip_stands_aside_for_the_one_below_it(whole: Path, tmp_path: Path) -> None:
    """As where our own environment, which has none, is on PATH."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True, timeout=60)
    done = run(
        tmp_path / "bare/bin/python", str(whole / "scripts/_set_up.py"), "a stamp", cwd=tmp_path,
        PATH="/usr/bin:/bin", PIP_NO_INDEX="1",
    )  # fmt: skip
    assert done.returncode == 1
    assert "could not get uv: " in done.stderr and "has no pip" not in done.stderr, done.stderr
