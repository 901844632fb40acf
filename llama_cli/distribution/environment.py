"""A distribution's own virtual environment: made beside, swapped in whole, shared by nobody.

Knows uv's `venv` and `pip sync`, the folder of one distribution and the lock that keeps two builders apart. Knows
nothing of how a requirements.txt came to be, of run configs or of servers.

    .venv          a whole environment, always; `.llama-lock` in it names the lock that it was made from
    .venv.new      one being made: hard links to the old one's files, then synced, then renamed; a killed build leaves
                   it, the next one removes it
    .venv.old      the former one, between two renames; put back by the next build if that is where we died
    .build.lock    held (flock) while any of this happens; its text names the holder
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llama_cli.distribution.requirements import Lock, read_lock
from llama_cli.distribution.uv_process import Progress, our_words, run_uv
from runtime.errors import Conflict

_MARKER = ".llama-lock"
_WHEELS = "llama_stack_toolchain-*.whl"


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What a build did. seconds: by phase, `resolve`, `download` and `install`. added, removed: `name==version`,
    sorted."""

    changed: bool
    seconds: dict[str, float] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`built in 14 s: resolve 2, download 9, install 3`"""
        if not self.changed:
            return "nothing to do"
        phases = ", ".join(f"{name} {_seconds(seconds)}" for name, seconds in self.seconds.items())
        return f"built in {_seconds(sum(self.seconds.values()))} s: {phases}"


class Environment:
    """The environment of the distribution in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.path = self.folder / ".venv"
        self._held: int | None = None

    @property
    def python(self) -> Path:
        """Its interpreter, whether or not it exists yet."""
        return _interpreter(self.path)

    def installed(self) -> tuple[str, ...]:
        """`name==version` of every package in it, sorted; empty where there is none."""
        return _installed(self.path)

    def is_whole(self, lock: Lock) -> bool:
        """Whether it holds exactly what `lock` names, for the same interpreter. Reads two files, starts nothing."""
        try:
            marker = (self.path / _MARKER).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return False
        return marker == _marker(lock) and self.python.exists()

    @contextlib.contextmanager
    def held(self, wait_s: float = 0.0) -> Iterator[None]:
        """Keep other builders of this distribution out; may be entered again by the same object.

        wait_s: how long to wait for one that is at work. Raises Conflict, naming it, after that.
        """
        if self._held is not None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / ".build.lock"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            deadline = time.monotonic() + wait_s
            while not _try_lock(descriptor):
                if time.monotonic() >= deadline:
                    raise _conflict(self.folder, file)
                time.sleep(0.05)
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps({"pid": os.getpid(), "command": _command()}).encode())
            self._held = descriptor
            try:
                yield
            finally:
                self._held = None
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)  # ends the lock too

    def ensure(self, lock: Lock, progress: Progress | None = None, *, wait_s: float = 0.0) -> BuildReport:
        """Make it hold exactly what `lock` names; nothing to do is found in a millisecond.

        wait_s: how long to wait for another builder. Raises EnvironmentFailed, with the former environment still in
        place; Conflict where another builder is at work or has written another lock meanwhile.
        """
        if self.is_whole(lock):
            return BuildReport(changed=False)
        with our_words("build the environment", self.folder), self.held(wait_s):
            new, old = self._recover()
            if self.is_whole(lock):
                return BuildReport(changed=False)
            written = read_lock(lock.file)
            if written is None or written.content != lock.digest:
                raise Conflict(
                    f"`{lock.file}` was changed while `{self.folder.name}` was being built",
                    hint="run the command again",
                )
            before = self.installed()
            started = time.monotonic()
            try:
                downloaded_s = self._make(new, lock, progress)
                (new / _MARKER).write_text(_marker(lock), encoding="utf-8")
                added, removed = _difference(before, _installed(new))
                if self.path.exists():
                    self.path.rename(old)
                new.rename(self.path)
            finally:
                self._recover()
            self._remove_former_wheels(lock)
            seconds = {
                "resolve": lock.seconds,
                "download": downloaded_s,
                "install": time.monotonic() - started - downloaded_s,
            }
            return BuildReport(changed=True, seconds=seconds, added=added, removed=removed)

    def _recover(self) -> tuple[Path, Path]:
        """Clear away what a killed or failed build left, or finish its last step; returns where the new and the old
        one go."""
        new, old = self.folder / ".venv.new", self.folder / ".venv.old"
        if old.exists() and not self.path.exists():
            old.rename(self.path)
        for leftover in (new, old):
            if leftover.exists():
                shutil.rmtree(leftover)
        return new, old

    def _make(self, new: Path, lock: Lock, progress: Progress | None) -> float:
        """Fill `new`; returns the seconds that uv spent fetching and unpacking."""
        assert self._held is not None
        # uv inherits the lock: should we be killed outright, the next builder waits until uv has noticed and ended.
        keep_open = (self._held,)
        if self.is_reusable(lock):
            _link_tree(self.path, new)
            (new / _MARKER).unlink(missing_ok=True)
        else:
            run_uv(
                ["venv", "--relocatable", "--no-project", "--python", str(lock.python), str(new), *_offline(lock)],
                doing=f"make a virtual environment with `{lock.python}`",
                folder=self.folder,
                environment=lock.settings.environment,
                keep_open=keep_open,
            )
        backend = ["--torch-backend", lock.torch_backend] if lock.torch_backend else []
        done = run_uv(
            [
                "pip",
                "sync",
                "--require-hashes",
                "--python",
                str(_interpreter(new)),
                str(lock.file),
                *lock.settings.arguments,
                *backend,
            ],
            doing="install packages",
            folder=self.folder,
            environment=lock.settings.environment,
            progress=progress,
            keep_open=keep_open,
        )
        return _duration(done.output, "Prepared")

    def is_reusable(self, lock: Lock) -> bool:
        """Whether a new environment may start from this one's files: made by us, whole, with the same interpreter,
        which still runs.

        Its compiled bytecode then stays, without which the first import of torch costs seconds.
        """
        try:
            marker = (self.path / _MARKER).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return False
        return marker.splitlines()[1:] == _marker(lock).splitlines()[1:] and self.python.exists()

    def _remove_former_wheels(self, lock: Lock) -> None:
        """Snapshot wheels in our folder that the lock no longer names."""
        text = lock.file.read_text(encoding="utf-8")
        for wheel in self.folder.glob(_WHEELS):
            if wheel.as_uri() not in text:
                wheel.unlink(missing_ok=True)


def _marker(lock: Lock) -> str:
    """First line: the lock. Second: the interpreter, its path and the file behind it, since an upgrade replaces that
    one."""
    state = lock.python.stat() if lock.python.exists() else None
    return f"{lock.digest}\n{lock.python} {state.st_size if state else 0} {state.st_mtime_ns if state else 0}\n"


def _offline(lock: Lock) -> list[str]:
    return ["--offline"] if lock.settings.offline else []


def _interpreter(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _installed(environment: Path) -> tuple[str, ...]:
    pattern = "Lib/site-packages/*.dist-info" if sys.platform == "win32" else "lib/python*/site-packages/*.dist-info"
    entries = (path.name.removesuffix(".dist-info").rpartition("-") for path in environment.glob(pattern))
    return tuple(sorted(f"{name.replace('_', '-').lower()}=={version}" for name, _, version in entries))


def _difference(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(sorted(set(after) - set(before))), tuple(sorted(set(before) - set(after)))


def _link_tree(source: Path, target: Path) -> None:
    """A second name for every file. Neither uv nor Python changes a file in place (they unlink or rename), so the two
    stay apart."""
    shutil.copytree(source, target, symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        shutil.copy2(source, target, follow_symlinks=False)  # a file system without hard links


def _duration(output: str, word: str) -> float:
    """Seconds of uv's `Prepared 40 packages in 1m 02s`; 0 where it had nothing to prepare."""
    match = re.search(rf"{word} \d+ packages? in (.+)$", output, re.MULTILINE)
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return (
        sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", match[1]))
        if match
        else 0.0
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"


def _command() -> str:
    """Our command line as far as it names things; options may hold what is not for other users' eyes."""
    words = [Path(sys.argv[0]).name]
    for word in sys.argv[1:]:
        if word.startswith("-"):
            break
        words.append(word)
    return " ".join(words)


def _conflict(folder: Path, file: Path) -> Conflict:
    try:
        holder = json.loads(file.read_text(encoding="utf-8"))
        who = f"process {holder['pid']} (`{holder['command']}`)"
        hint = f"wait for it, or end it with `kill {holder['pid']}`"
        if not _is_alive(holder["pid"]):  # what it started still holds the lock, and ends at the next line it writes
            who, hint = f"uv, which process {holder['pid']} (`{holder['command']}`) left behind", "wait for it to end"
    except (OSError, ValueError, KeyError, TypeError):
        who, hint = "another process", "wait for it"  # it holds the lock and has not written its name yet
    return Conflict(f"`{folder.name}` is being built by {who}", hint=hint)


def _is_alive(pid: int) -> bool:
    """Of a process that wrote the lock's text; only for the words of an error, never to act upon."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        """Far behind the text, since Windows keeps others from reading what is locked."""
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
