"""A distribution's own virtual environments: one for each lock, never changed once it is there, shared by nobody.

Knows uv's `venv` and `pip sync`, the folder of one distribution and the lock that keeps two builders apart. Knows
nothing of how a pylock.toml is made, of run configs or of servers.

    .venvs/<lock>-<interpreter>   one environment: hard links to the former one's files, unless it is made anew, then
                                  synced. It is made under
                                  a name of the builder's own and renamed when it is whole, so a killed build, and a
                                  uv that outlives it, leave only what the next one clears away
    .venv                         a link to the newest, for people; a server is started from the real path and can
                                  import late, so what it runs from stays until it has ended
    .build.lock                   held (flock) while any of this happens; its text names the holder
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from runtime.clock import wall_time
from runtime.config.home import private_folder
from runtime.errors import Conflict

if TYPE_CHECKING:
    from llama_cli.packages.lock import Lock

if sys.platform != "win32":  # where `build` refuses before it comes here
    import fcntl

WHEELS = "wheel"
"""The folder, in a distribution's, of the snapshot wheel that its lock names."""

HALF_MADE = ".new-"
"""How the name of an environment begins that is not whole yet."""
# Between the choice of an environment and the record of the server that it is chosen for; far more than that takes.
_ABOUT_TO_START_S = 60.0
_REPORT_AFTER_S = 1.0
_TELLS_WHAT_IT_LACKS = {"RUST_LOG": "uv_installer=debug"}
"""Makes uv say of each package that it has to fetch: `Identified uncached distribution: torch==2.9.1`."""


class Environment:
    """The environment of the distribution in `folder`: the newest of those that were made for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.link = self.folder / ".venv"
        self._all = self.folder / ".venvs"

    @property
    def path(self) -> Path:
        """Its real folder, not through the link; that of the link where there is none yet."""
        return self.link.resolve()

    @property
    def python(self) -> Path:
        """Its interpreter, whether or not it exists yet."""
        return self.path / "bin/python"

    def place(self, lock: Lock) -> Path:
        """The folder of the environment that is made from `lock` with its interpreter, and from nothing else."""
        # An upgrade of Python replaces the file behind the path.
        state = lock.python.stat() if lock.python.exists() else None
        interpreter = f"{lock.python} {state and (state.st_size, state.st_mtime_ns)}"
        return self._all / f"{lock.digest[:16]}-{hashlib.sha256(interpreter.encode()).hexdigest()[:8]}"

    def is_whole(self, lock: Lock) -> bool:
        """Whether it holds exactly what `lock` names, for the same interpreter. Reads a link, starts nothing."""
        return self.path == self.place(lock) and self.python.exists()

    @contextlib.contextmanager
    def held(self, wait_s: float = 0.0, on_wait: Callable[[str], None] = lambda holder: None) -> Iterator[None]:
        """Keep other builders of this distribution out.

        wait_s: how long to wait for one that is at work; on_wait: called once with who that is. Raises Conflict,
        naming it, after that.
        """
        began = time.monotonic()
        is_reported = False
        while (text := self._locked()) is None:
            waited_s = time.monotonic() - began
            if waited_s >= wait_s:
                who, hint = _holder(self._lock_file)
                raise Conflict(f"`{self.folder.name}` is being built by {who}", hint=hint)
            if waited_s > _REPORT_AFTER_S and not is_reported:
                on_wait(_holder(self._lock_file)[0])
                is_reported = True
            time.sleep(0.05)
        with text:
            text.truncate(0)
            json.dump({"pid": os.getpid(), "command": _command()}, text)
            text.flush()
            try:
                yield
            finally:
                text.truncate(0)

    def is_held(self) -> bool:
        """Whether somebody keeps builders out just now. Changes nothing."""
        try:
            handle = os.open(self._lock_file, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(handle)
        finally:
            os.close(handle)

    @property
    def _lock_file(self) -> Path:
        return self.folder / ".build.lock"

    def _locked(self) -> TextIO | None:
        """The lock file, locked; None where another has it, or has removed it with the distribution."""
        private_folder(self.folder)
        text = os.fdopen(os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")
        if _try_lock(text.fileno()):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(text.fileno()), self._lock_file.stat()):
                    return text
        text.close()
        return None

    def ensure(self, lock: Lock, *, in_use: Collection[Path] = (), anew: bool = False) -> dict[str, float]:
        """Make it hold exactly what `lock` names; nothing to do is found in a millisecond. Call it while `held`.
        Returns the seconds by phase, `resolve`, `download` where anything was to be fetched, and `install`; none where
        nothing was to do.

        in_use: interpreters of servers that run; their environments stay, others are removed once there is a new one.
        Raises Failure, with the former environment still in place, and Conflict where a server runs from one
        that is damaged, or is to be made anew.

        anew: also where it is whole, with no file of the present one and no second name for one of uv's.
        """
        if self.is_whole(lock) and not anew:
            os.utime(self.path)  # young again: a server may be about to start from it
            return {}
        started = time.monotonic()
        new = self.place(lock)
        download_s = 0.0
        if anew or not (new / "bin/python").exists():
            download_s = self._make_whole(new, lock, in_use, anew=anew)
        os.utime(new)
        beside = self.folder / ".venv.new"  # `.venv` leads to it from one moment to the next
        beside.unlink(missing_ok=True)
        beside.symlink_to(new.relative_to(self.folder))
        beside.replace(self.link)
        self._remove_former(new, lock, in_use)
        phases = {"resolve": lock.seconds, "download": download_s} if download_s else {"resolve": lock.seconds}
        return phases | {"install": time.monotonic() - started - download_s}

    def unused(self, in_use: Collection[Path]) -> list[Path]:
        """Environments that are not the present one, and that no server runs from or is about to. Call it while `held`,
        when those that are not whole are nobody's.
        """
        found = []
        for other in self._all.iterdir() if self._all.is_dir() else ():
            is_young = not other.name.startswith(HALF_MADE) and wall_time() - other.stat().st_mtime < _ABOUT_TO_START_S
            if other != self.path and not is_young and not _is_in_use(other, in_use):
                found.append(other)
        return found

    def _make_whole(self, new: Path, lock: Lock, in_use: Collection[Path], *, anew: bool) -> float:
        """Make `new`, or leave what there was. Returns the seconds for which packages were fetched and unpacked."""
        if new.exists() and _is_in_use(new, in_use):
            why = "is to be made anew" if (new / "bin/python").exists() else "is damaged"
            raise Conflict(
                f"the environment of `{self.folder.name}` {why}, and a server runs from it",
                hint="stop that server first; see `llama stack ps`",
            )
        private_folder(self._all)
        half = self._all / f"{HALF_MADE}{os.getpid()}"
        shutil.rmtree(half, ignore_errors=True)
        try:
            # uv takes a package of the same version for the same package.
            is_reusable = not anew and not lock.replaces and _interpreter_of(self.path) == _interpreter_of(new)
            download_s = self._fill(half, lock, is_reusable=is_reusable, alone=anew)
            former = half.with_name(f"{half.name}-former")
            if new.exists():
                new.rename(former)
            half.rename(new)
            shutil.rmtree(former, ignore_errors=True)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
        return download_s

    def _fill(self, half: Path, lock: Lock, *, is_reusable: bool, alone: bool) -> float:
        """Returns what `_make_whole` does. is_reusable: the present environment has the same interpreter, so it starts
        from that one's files. Their compiled bytecode then stays, without which the first import of torch costs
        seconds. alone: every file is a copy, which nothing that happens to one of the same name elsewhere can damage.
        """
        from llama_cli.packages.uv import run_uv

        if not (is_reusable and self.python.exists() and _link_tree(self.path, half)):
            run_uv(
                ["venv", "--relocatable", "--no-project", "--python", str(lock.python), str(half)],
                doing=f"make a virtual environment with `{lock.python}`",
                folder=self.folder,
                environment=lock.settings.environment,
                step="making an environment",
            )
        own_copy = ["--link-mode", "copy"] if alone else []
        target = ["--require-hashes", "--preview-features", "pylock", "--python", str(half / "bin/python")]
        arguments = ["pip", "sync", *target, str(lock.file), *own_copy, *lock.settings.arguments]
        sync = partial(run_uv, doing="install packages", folder=self.folder, step="installing packages")
        planned = sync([*arguments, "--dry-run"], environment={**lock.settings.environment, **_TELLS_WHAT_IT_LACKS})
        output = sync(arguments, environment=lock.settings.environment, sizes=_to_fetch(planned, lock))
        return _prepared_s(output)

    def _remove_former(self, new: Path, lock: Lock, in_use: Collection[Path]) -> None:
        """All other environments but those that a server runs from, or is about to; snapshot wheels that the lock does
        not name; and the lock of an earlier version of ours.
        """
        from llama_cli.packages.lock import HEAD

        for other in self.unused(in_use):
            shutil.rmtree(other, ignore_errors=True)
        text = lock.file.read_text(encoding="utf-8")
        for wheel in (self.folder / WHEELS).glob("*.whl"):
            if wheel.name.split("-")[1] not in text:
                wheel.unlink(missing_ok=True)
        earlier = self.folder / "requirements.txt"
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if earlier.read_text(encoding="utf-8").startswith(HEAD):
                earlier.unlink()


def _to_fetch(planned: str, lock: Lock) -> dict[str, int]:
    """Bytes by package of what is neither in uv's cache nor on this machine. planned: what uv says of a dry run."""
    lacking = set(re.findall(r"uncached distribution: ([\w.-]+)", planned))
    return {
        package.name: package.size_bytes
        for package in lock.packages
        if package.name in lacking and package.size_bytes and not package.is_local
    }


def _prepared_s(output: str) -> float:
    """How long uv has fetched and unpacked packages: `Prepared 28 packages in 1m 02s`, `in 660ms`."""
    found = re.search(r"^Prepared .* in (.+)$", output, re.MULTILINE)
    parts = re.findall(r"([\d.]+)(ms|m|s)\b", found[1]) if found else []
    return sum(float(number) * {"m": 60.0, "s": 1.0, "ms": 0.001}[unit] for number, unit in parts)


def _interpreter_of(place: Path) -> str:
    return place.name.rpartition("-")[2]


def _is_in_use(place: Path, in_use: Collection[Path]) -> bool:
    return any(python.is_relative_to(place) for python in in_use)


def _link_tree(source: Path, target: Path) -> bool:
    """A second name for every file. Neither uv nor Python changes a file in place (they unlink or rename), so the two
    stay apart. False, and nothing left, where the file system has no hard links."""
    try:
        shutil.copytree(source, target, symlinks=True, copy_function=os.link)
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        return False
    return True


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _command() -> str:
    """Our command line as far as it names things; options can hold secrets."""
    words = itertools.takewhile(lambda word: not word.startswith("-"), sys.argv[1:])
    return " ".join([Path(sys.argv[0]).name, *words])


def _holder(file: Path) -> tuple[str, str]:
    """Who holds a build lock, and what to do about it."""
    try:
        holder = json.loads(file.read_text(encoding="utf-8"))
        return f"process {holder['pid']} (`{holder['command']}`)", f"wait for it, or end it with `kill {holder['pid']}`"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process", "wait for it"  # it holds the lock and has not written its name yet
