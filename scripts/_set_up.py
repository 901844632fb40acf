"""Makes .venv with the command line in it: `_set_up.py STAMP [the words that the script was given]`.

Run by any Python >= 3.11, so it imports nothing but the standard library and those of our modules that do the same:
progress, pip's settings and uv's words are the ones that `llama` itself has. pip is asked for uv alone, and only where
this machine has none.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path
from typing import NoReturn

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE))

from llama_cli.exits import ExitCode, Failure  # noqa: E402
from llama_cli.failures import failure_of  # noqa: E402
from llama_cli.packages.lock import base_python  # noqa: E402
from llama_cli.packages.pip_settings import read_settings  # noqa: E402
from llama_cli.packages.uv import find_uv, run_uv  # noqa: E402
from llama_cli.terminal import console  # noqa: E402
from llama_cli.terminal.progress import display, working  # noqa: E402

VENV = TREE / ".venv"
PYTHON = VENV / "bin/python"
STAMP = VENV / ".set-up"


def main() -> None:
    stamp, given = sys.argv[1], sys.argv[2:]
    console.configure(given)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, _terminate)
    try:
        with display():
            _set_up(stamp)
    except KeyboardInterrupt:
        _end(Failure("interrupted", code=ExitCode.INTERRUPTED))
    except _Terminated:
        _end(Failure("terminated", code=ExitCode.TERMINATED))
    except Exception as error:
        _end(failure_of(error, given))


def _set_up(stamp: str) -> None:
    began = time.monotonic()
    cache = TREE / ".cache"
    cache.mkdir(exist_ok=True)
    with (cache / "set-up.lock").open("w") as lock:
        with working("waiting for another one that sets this up"):
            fcntl.flock(lock, fcntl.LOCK_EX)
        # One that was never finished can hold half a package; of another, the interpreter can have been removed.
        is_whole = STAMP.exists() and PYTHON.exists()
        if is_whole and STAMP.read_text(encoding="utf-8") == stamp:
            return
        with working("making an environment"):
            venv.EnvBuilder(clear=not is_whole, symlinks=True).create(VENV)
        STAMP.unlink(missing_ok=True)
        os.environ["PATH"] = os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", "")])
        if not _has_uv():
            _get_uv()
        settings = read_settings()
        run_uv(
            [
                "pip",
                "install",
                "--python",
                str(PYTHON),
                *settings.arguments,
                *settings.resolve_arguments,
                "-e",
                str(TREE),
            ],
            doing="install the command line",
            folder=TREE,
            environment=settings.environment,
            step="setting up the command line",
        )
        STAMP.write_text(stamp, encoding="utf-8")
    if not console.settings.json:
        console.say(f"set up in {time.monotonic() - began:.1f} s")


def _has_uv() -> bool:
    try:
        return subprocess.run([find_uv(), "--version"], capture_output=True, check=False).returncode == 0
    except (Failure, OSError):
        return False


def _get_uv() -> None:
    """By pip, with its own settings, into the environment, which has none of its own."""
    needed = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    requirement = next(line for line in needed if re.match(r"uv\b", line))
    with working("getting uv, which gets the rest") as step:
        python, version = _python_with_pip()
        command = [python, "-m", "pip", "--python", str(PYTHON), "install", "--disable-pip-version-check", requirement]
        process = subprocess.Popen(
            [*command, "--progress-bar", "raw"] if version >= (24, 1) else command,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        said = []
        with process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if found := re.match(r"Progress (\d+) of (\d+)", line):
                        step.done, step.total, step.unit = float(found[1]), float(found[2]), "bytes"
                    else:
                        said.append(line)
            except BaseException:
                process.terminate()
                raise
    if process.returncode:
        why = next(
            (line.partition(":")[2].strip() for line in said if line.startswith("ERROR:")), "pip does not say why"
        )
        hint = "`HTTPS_PROXY` names a proxy, `PIP_INDEX_URL` another index; `--verbose` shows all that pip says"
        raise Failure(f"could not get uv: {why}", hint=hint, details="".join(said))


def _python_with_pip() -> tuple[str, tuple[int, ...]]:
    """An interpreter with pip, and pip's version. Ours can be that of a virtual environment without one, such as the
    very one that is being made, where its folder is on PATH. Raises Failure where there is none.
    """
    for python in dict.fromkeys((sys.executable, str(base_python()))):
        asked = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, text=True, check=False)
        if found := re.match(r"pip (\d+)\.(\d+)", asked.stdout):
            return python, (int(found[1]), int(found[2]))
    hint = "install it (Debian: `apt-get install python3-pip`), or uv itself: https://docs.astral.sh/uv/"
    raise Failure(f"`{base_python()}` has no pip, and there is no uv", hint=hint)


class _Terminated(BaseException):
    """As `llama_cli.main` has it: uv, which has a session of its own, ends with us."""


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


def _end(failure: Failure) -> None:
    console.failure(failure)
    sys.exit(failure.code)


if __name__ == "__main__":
    main()
