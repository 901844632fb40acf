"""A distribution's own virtual environments: one for each lock, never changed once it is whole, shared by nobody.

Knows uv's `venv` and `pip sync`, the folder of one distribution and the lock that keeps two builders apart. Knows
nothing of how a requirements.txt came to be, of run configs or of servers; it is told which interpreters are in use.

    .venvs/<key>   the environment of one lock and interpreter: hard links to the former one's files, then synced, then
                   marked by `.llama-lock`. One without that mark is half made: a killed build left it, the next
                   one removes it
    .venv          a link to the newest, for people (where the system has links); a server is started from the real
                   path, and imports as late as it likes: what it runs from stays until it has ended
    .build.lock    held (flock) while any of this happens; its text names the holder
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from llama_cli.packages.lock import Lock, read_lock
from llama_cli.packages.uv import Progress, our_words, run_uv
from runtime.config.home import private_folder
from runtime.errors import Conflict

WHEELS = "wheel"
"""The folder, in a distribution's, of the snapshot wheel that its lock names."""

_MARKER = ".llama-lock"
# Between the choice of an environment and the record of the server that it is chosen for; far more than that takes.
_ABOUT_TO_START_S = 60.0
_TELL_AFTER_S = 1.0


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
    """The environment of the distribution in `folder`: the newest of those that were made for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.link = self.folder / ".venv"
        self._all = self.folder / ".venvs"
        self._held: int | None = None

    @property
    def path(self) -> Path:
        """Its real folder, not through the link; that of the link where there is none yet."""
        if self.link.is_symlink() and self.link.is_dir():
            return self.link.resolve()
        marks = sorted(self._all.glob(f"*/{_MARKER}"), key=lambda mark: mark.stat().st_mtime_ns)
        return marks[-1].parent if marks else self.link

    @property
    def python(self) -> Path:
        """Its interpreter, whether or not it exists yet."""
        return _interpreter(self.path)

    def place(self, lock: Lock) -> Path:
        """The folder of the environment that is made from `lock`, and from nothing else."""
        return self._all / hashlib.sha256(_marker(lock).encode()).hexdigest()[:16]

    def installed(self) -> tuple[str, ...]:
        """`name==version` of every package in it, sorted; empty where there is none."""
        return _installed(self.path)

    def is_whole(self, lock: Lock) -> bool:
        """Whether it holds exactly what `lock` names, for the same interpreter. Reads a link and two files, starts
        nothing."""
        return self.path == self.place(lock) and _is_made(self.path, lock)

    @contextlib.contextmanager
    def held(self, wait_s: float = 0.0, on_wait: Callable[[str], None] = lambda holder: None) -> Iterator[None]:
        """Keep other builders of this distribution out; may be entered again by the same object.

        wait_s: how long to wait for one that is at work; on_wait: told once who that is. Raises Conflict, naming it,
        after that.
        """
        if self._held is not None:
            yield
            return
        private_folder(self.folder)
        file = self.folder / ".build.lock"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            began = time.monotonic()
            is_told = False
            while not _try_lock(descriptor):
                waited_s = time.monotonic() - began
                if waited_s >= wait_s:
                    raise _conflict(self.folder, file)
                if not is_told and waited_s > _TELL_AFTER_S:
                    on_wait(_holder(file)[0])
                    is_told = True
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

    def ensure(
        self, lock: Lock, progress: Progress | None = None, *, wait_s: float = 0.0, in_use: Collection[Path] = ()
    ) -> BuildReport:
        """Make it hold exactly what `lock` names; nothing to do is found in a millisecond.

        wait_s: how long to wait for another builder. in_use: interpreters of servers that run; their environments stay,
        others are removed once there is a new one. Raises EnvironmentFailed, with the former environment still in
        place; Conflict where another builder is at work or has written another lock meanwhile, and where a server runs
        from one that is damaged.
        """
        if self._is_chosen(lock):
            return BuildReport(changed=False)
        with our_words("build the environment", self.folder), self.held(wait_s):
            if self._is_chosen(lock):
                return BuildReport(changed=False)
            written = read_lock(lock.file)
            if written is None or written.content != lock.digest:
                raise Conflict(
                    f"`{lock.file}` was changed while `{self.folder.name}` was being built",
                    hint="run the command again",
                )
            before = self.installed()
            started = time.monotonic()
            new = self.place(lock)
            downloaded_s = 0.0 if _is_made(new, lock) else self._make_whole(new, lock, progress, in_use)
            added, removed = _difference(before, _installed(new))
            self._choose(new, in_use)
            self._remove_former(new, in_use)
            self._remove_former_wheels(lock)
            seconds = {
                "resolve": lock.seconds,
                "download": downloaded_s,
                "install": time.monotonic() - started - downloaded_s,
            }
            return BuildReport(changed=True, seconds=seconds, added=added, removed=removed)

    def _is_chosen(self, lock: Lock) -> bool:
        """`is_whole`, and its mark made young again: a server may be about to start from it."""
        if not self.is_whole(lock):
            return False
        (self.path / _MARKER).touch()
        return True

    def _make_whole(self, new: Path, lock: Lock, progress: Progress | None, in_use: Collection[Path]) -> float:
        """Make `new`, or leave nothing of it; returns the seconds that uv spent fetching and unpacking."""
        if new.exists():
            if _is_in_use(new, in_use):
                raise Conflict(
                    f"the environment of `{self.folder.name}` is damaged, and a server runs from it",
                    hint="stop that server first; see `llama stack ps`",
                )
            shutil.rmtree(new)
        private_folder(self._all)
        try:
            downloaded_s = self._make(new, lock, progress)
            (new / _MARKER).write_text(_marker(lock), encoding="utf-8")
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        return downloaded_s

    def _choose(self, new: Path, in_use: Collection[Path]) -> None:
        """Let `.venv` lead to it, from one moment to the next."""
        (new / _MARKER).touch()
        if self.link.is_dir() and not self.link.is_symlink():  # as it was made before there were links
            if _is_in_use(self.link, in_use):
                return
            shutil.rmtree(self.link)
        beside = self.folder / ".venv.new"
        beside.unlink(missing_ok=True)
        with contextlib.suppress(OSError, NotImplementedError):  # Windows gives links to few; the mark's age tells then
            beside.symlink_to(new.relative_to(self.folder), target_is_directory=True)
            beside.replace(self.link)

    def _remove_former(self, new: Path, in_use: Collection[Path]) -> None:
        """All others but those that a server runs from, or may be about to."""
        for other in self._all.iterdir():
            mark = other / _MARKER
            is_young = mark.exists() and time.time() - mark.stat().st_mtime < _ABOUT_TO_START_S
            if other != new and not is_young and not _is_in_use(other, in_use):
                shutil.rmtree(other, ignore_errors=True)

    def _make(self, new: Path, lock: Lock, progress: Progress | None) -> float:
        """Fill `new`; returns the seconds that uv spent fetching and unpacking."""
        assert self._held is not None
        # uv inherits the lock: should we be killed outright, the next builder waits until uv has noticed and ended.
        keep_open = (self._held,)
        if self.is_reusable(lock):
            _link_tree(self.path, new)  # `path` is another one: this lock's own was not there or not whole
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
        """Snapshot wheels that the lock no longer names."""
        text = lock.file.read_text(encoding="utf-8")
        for wheel in (self.folder / WHEELS).glob("*.whl"):
            if wheel.as_uri() not in text:
                wheel.unlink(missing_ok=True)


def _is_made(place: Path, lock: Lock) -> bool:
    try:
        marker = (place / _MARKER).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return False
    return marker == _marker(lock) and _interpreter(place).exists()


def _is_in_use(place: Path, in_use: Collection[Path]) -> bool:
    return any(python.is_relative_to(place) for python in in_use)


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
    who, hint = _holder(file)
    return Conflict(f"`{folder.name}` is being built by {who}", hint=hint)


def _holder(file: Path) -> tuple[str, str]:
    """Who holds a build lock, and what to do about it."""
    try:
        holder = json.loads(file.read_text(encoding="utf-8"))
        who = f"process {holder['pid']} (`{holder['command']}`)"
        hint = f"wait for it, or end it with `kill {holder['pid']}`"
        if not _is_alive(holder["pid"]):  # what it started still holds the lock, and ends at the next line it writes
            who, hint = f"uv, which process {holder['pid']} (`{holder['command']}`) left behind", "wait for it to end"
    except (OSError, ValueError, KeyError, TypeError):
        who, hint = "another process", "wait for it"  # it holds the lock and has not written its name yet
    return who, hint


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
