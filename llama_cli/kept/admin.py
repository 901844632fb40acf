"""Has a distribution's own interpreter do something: `python -I -m runtime.admin VERB ACTION`.

Its databases and providers need packages that the command line does not have. It says how far it is, a line of JSON
each, and then what has come of it; an archive goes through a pipe or a descriptor of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import IO, Any

from llama_cli.exits import BY_STATUS, ExitCode, Failure
from llama_cli.kept.whose import Owner
from llama_cli.terminal.progress import working
from llama_cli.terminal.step import Step

_PIECE_BYTES = 1024**2
_CODES = {**BY_STATUS, 503: ExitCode.FAILED}
"""A database that is down is no server that is unhealthy."""
_OF_FILES = ("config_invalid", "recording_not_usable")
"""What is wrong with a file of the user's."""


def storage(
    action: str,
    owner: Owner,
    options: Sequence[str] = (),
    *,
    what: str,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> dict[str, Any]:
    """What becomes of an action on what is kept. what: it is doing, for who waits. stdin: what it reads.

    Raises Failure with what keeps it from being done.
    """
    with working(what) as step, _started(_of_storage(action, owner, options), owner, stdin=stdin) as admin:
        admin.follow(step)
    return admin.answer(_KEPT)


def recordings(
    action: str, owner: Owner, options: Sequence[str], *, names: Sequence[str], what: str
) -> list[dict[str, Any]]:
    """What providers answer now to recordings, a row each. names: their files. what: it is doing, for who waits.

    Raises Failure with what keeps it from being done.
    """
    words = ["recordings", action, str(owner.run_yaml), *options]
    with tempfile.TemporaryFile("w+b") as given, working(what) as step:
        given.write(json.dumps(list(names)).encode())
        given.seek(0)
        with _started(words, owner, stdin=given) as admin:
            admin.follow(step)
    rows: list[dict[str, Any]] = admin.answer("the providers of `{name}` could not be asked")["rows"]
    return rows


_KEPT = "what `{name}` keeps could not be looked at"


class Exported:
    """What `export` sends: iterate over it once for the archive's bytes, then ask for `answer`.

    Iterating raises Failure where not all of them have come.
    """

    def __init__(self, owner: Owner, options: Sequence[str]) -> None:
        self._given = owner, options
        self.answer: dict[str, Any] = {}

    def __iter__(self) -> Iterator[bytes]:
        owner, options = self._given
        begin, end = os.pipe()
        with os.fdopen(begin, "rb") as archive, working(f"exporting what `{owner.name}` keeps") as step:
            try:
                words = _of_storage("export", owner, [*options, "--fd", str(end)])
                started = _started(words, owner, pass_fds=(end,))
                with started as admin:
                    os.close(end)
                    end = -1
                    follower = Thread(target=admin.follow, args=(step,), daemon=True)
                    follower.start()
                    while data := archive.read(_PIECE_BYTES):
                        yield data
                    follower.join()
            finally:
                if end != -1:
                    os.close(end)
        self.answer = admin.answer(_KEPT)


class _Admin:
    """One run of it."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str], owner: Owner) -> None:
        self._process = process
        self._errors = errors
        self._owner = owner
        self._answer: dict[str, Any] | None = None
        self._said = ""

    def follow(self, step: Step) -> None:
        """Show how far it is, until it has ended."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = _document(line)
            if told is not None and "done" in told:
                step.total, step.done, step.detail = told["total"], told["done"], told["what"]
            else:
                self._answer = told

    def close(self) -> None:
        """After it has ended."""
        self._errors.seek(0)
        self._said = self._errors.read()

    def answer(self, failed: str) -> dict[str, Any]:
        """What has come of it. failed: what is said where it ended without an answer. Raises Failure."""
        if self._answer is None:
            last = (self._said.strip().splitlines() or ["it said nothing"])[-1]
            hint = f"its environment may be of an older version: `llama stack build {self._owner.name}`"
            message = f"{failed.format(name=self._owner.name)}: {last}"
            raise Failure(message, hint=hint, details=self._said)
        if (error := self._answer.get("error")) is not None:
            code = ExitCode.CONFIG if error["code"] in _OF_FILES else _CODES.get(error["status"])
            raise Failure(error["message"], hint=error["hint"], code=code or ExitCode.FAILED, details=self._said)
        return self._answer


def _of_storage(action: str, owner: Owner, options: Sequence[str]) -> list[str]:
    return ["storage", action, str(owner.run_yaml), "--state", str(owner.state_dir), *options]


@contextmanager
def _started(
    words: Sequence[str],
    owner: Owner,
    *,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> Iterator[_Admin]:
    """Started for the block, at whose end it has ended: by itself, or because the block was left early. words: the verb
    and what it is given.
    """
    command = [str(owner.python), "-I", "-m", "runtime.admin", *words]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            env=dict(owner.environment),
            pass_fds=pass_fds,
        ) as process:
            admin = _Admin(process, errors, owner)
            try:
                yield admin
            except BaseException:
                process.terminate()
                raise
        admin.close()


def _document(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
