"""`scripts/run` as it is typed: from anywhere, by a link, and what it says before anything takes time.

What it sets up is in `test_first_use.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
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
    done = run(tree / "scripts/run", cwd=tmp_path, PATH=str(bare), PYTHON="/nonexistent")
    assert done.returncode == 1
    assert "error: no Python >= 3.11 was found\nhint: install one, or name it: PYTHON=" in done.stderr
