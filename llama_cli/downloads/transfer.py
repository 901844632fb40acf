"""Brings the files of one model here: several pieces at once, each checked, and the model under its name only when all
of it is there.

    <home>/models/.incomplete/NAME/lock     held while a process works on it; its text is that process's id
                                  /parts/   files that are not whole, with notes of what has come
                                  /files/   files that are
    <home>/models/NAME/                     the last, renamed

Knows folders, pieces and their order. Whoever asks for what decides elsewhere.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

from llama_cli import console
from llama_cli.console import ExitCode, Failure
from llama_cli.downloads.part import Part
from llama_cli.downloads.remote import RemoteModel
from llama_cli.downloads.web import BrokenOff, Refused, Web, why
from llama_cli.progress import Step
from llama_cli.weights.checksums import digests
from llama_cli.weights.manifest import FileRecord, Manifest
from llama_cli.weights.places import INCOMPLETE
from runtime.addresses import place_of
from runtime.catalog.on_disk import MANIFEST
from runtime.config.home import atomic_write, private_folder

_READ_BYTES = 2**18
_NOTED_EVERY_BYTES = 8 * 2**20
"""So much of a piece is lost at most when the process is killed."""
_LAST_NOTES_S = 2.0
_MARGIN_BYTES = 64 * 2**20
"""Left free on the disk, for whoever else writes there."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One model's way here. models: the folder for models. parallel: pieces at once. refusal: the failure that a
    server's status is.
    """

    remote: RemoteModel
    models: Path
    web: Web
    parallel: int
    refusal: Callable[[Refused], Failure]

    @property
    def target(self) -> Path:
        return self.models / self.remote.name

    @property
    def _work(self) -> Path:
        return self.models / INCOMPLETE / self.remote.name

    def come_bytes(self) -> int:
        """How much an earlier try has left here."""
        return sum(part.come_bytes for part in self._parts())

    def run(self, step: Step) -> Manifest:
        """Bring what is missing, and put the model at its target. step: counts bytes, those from earlier tries
        included.

        Raises Failure: CONFLICT where another process brings the same model; FAILED for a full disk, or a file whose
        digest is wrong; what `refusal` gives; NETWORK where a server stays away. What has come is kept.
        """
        with self._held():
            self.check_space()
            parts = self._parts()
            _Run(self, parts, step).run()
            manifest = Manifest(
                model_id=self.remote.model_id,
                source=self.remote.source,
                origin=self.remote.origin,
                revision=self.remote.revision,
                added_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                files=tuple(
                    FileRecord(path=part.file.path, size_bytes=part.file.size_bytes, sha256=part.sha256 or "")
                    for part in parts
                ),
            )
            self._publish(manifest)
        return manifest

    def check_space(self) -> None:
        """Raises Failure where the disk has less room than what is to come."""
        place = next(folder for folder in (self.models, *self.models.parents) if folder.exists())
        needed, free = self.remote.size_bytes - self.come_bytes(), shutil.disk_usage(place).free
        if needed and needed + _MARGIN_BYTES > free:
            raise Failure(
                f"`{self.remote.name}` needs {console.size(needed)}, and {console.size(free)} are free in `{place}`",
                hint="free some space, or set `LLAMA_HOME` to a folder elsewhere",
            )

    def _parts(self) -> list[Part]:
        files = self._work / "files"
        return [Part(file, self._work / "parts", files / file.path) for file in self.remote.files]

    def _publish(self, manifest: Manifest) -> None:
        files = self._work / "files"
        wanted = {file.path for file in manifest.files}
        for path in files.rglob("*"):  # of an earlier try that wanted others
            if path.is_file() and path.relative_to(files).as_posix() not in wanted:
                path.unlink()
        atomic_write(files / MANIFEST, manifest.text())
        try:
            files.rename(self.target)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise Failure(f"`{self.target}` is there already", code=ExitCode.CONFLICT) from error
            raise
        shutil.rmtree(self._work, ignore_errors=True)

    @contextmanager
    def _held(self) -> Iterator[None]:
        private_folder(self._work)
        handle = os.open(self._work / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                pid = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
                raise Failure(
                    f"`{self.remote.name}` is being downloaded by process {pid or 'of somebody else'}",
                    hint="wait for it",
                    code=ExitCode.CONFLICT,
                ) from error
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)


class _Run:
    """The threads of one try."""

    def __init__(self, transfer: Transfer, parts: list[Part], step: Step) -> None:
        self._transfer = transfer
        self._web = transfer.web
        self._step = step
        self._parts = parts
        self._lock = Lock()
        self._came = 0
        self._todo: deque[tuple[Part, int]] = deque()
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Raises as `Transfer.run` says; on an interruption at once, and what has come by then is noted."""
        for part in self._parts:
            self._step.done += part.come_bytes
            if part.is_whole:
                continue
            part.begin()
            self._todo += [(part, first) for first in part.pieces]
            if not part.pieces:
                self._finish(part)
        count = min(self._transfer.parallel, len(self._todo))
        # Daemons: one that waits for a server must not keep an interrupted command from its end.
        threads = [Thread(target=self._work, name=f"download-{number}", daemon=True) for number in range(count)]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads) and not self._web.given_up.wait(0.05):
                pass
        finally:
            self._web.given_up.set()
            until = time.monotonic() + _LAST_NOTES_S
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            while not self._web.given_up.is_set():
                with self._lock:
                    if not self._todo:
                        return
                    part, first = self._todo.popleft()
                self._step.detail = part.file.path
                if self._fetch(part, first):
                    self._finish(part)
        except BaseException as error:
            with self._lock:
                self._failure = self._failure or error
            self._web.given_up.set()

    def _fetch(self, part: Part, first: int) -> bool:
        """One piece; what breaks off goes on from where it did. Whether the file then has all of its pieces."""
        url, end = part.file.url, first + part.length(first)
        at = noted = first + part.come_of(first)

        def read() -> None:
            nonlocal at, noted
            with self._web.open(url, first=at, last=end - 1) as response:
                skip = at if response.status != 206 else 0  # a server that knows no ranges sends all
                _check_range(response, url, at, part.file.size_bytes)
                while at < end and not self._web.given_up.is_set():
                    try:
                        data = response.read1(_READ_BYTES)
                    except (OSError, http.client.HTTPException) as error:
                        raise BrokenOff(why(error)) from error
                    if not data:
                        raise BrokenOff("it ended early")
                    used = data[skip:][: end - at]
                    skip = max(0, skip - len(data))
                    part.put(at, used)
                    at += len(used)
                    self._count(len(used))
                    if at < end and at - noted >= _NOTED_EVERY_BYTES:  # its end is noted once, below
                        noted = at
                        part.note(first, at - first)

        try:
            self._web.patiently(read, url, has_come=lambda: self._came)
        except Refused as refused:
            raise self._transfer.refusal(refused) from refused
        finally:
            is_last = part.note(first, at - first)
        return is_last

    def _finish(self, part: Part) -> None:
        self._step.detail = f"checking {part.file.path}"
        expected = part.file.digest
        found = digests(part.data, {"sha256", *([expected.kind] if expected else [])})
        if expected is not None and found[expected.kind] != expected.value:
            part.forget()
            raise Failure(
                f"`{part.file.path}` is not what it should be: its {expected.kind} is {found[expected.kind]}, not"
                f" {expected.value}",
                hint="the same command again downloads that file anew",
            )
        part.finish(found["sha256"])

    def _count(self, size: int) -> None:
        with self._lock:
            self._came += size
            self._step.done += size


def _check_range(response: http.client.HTTPResponse, url: str, at: int, size_bytes: int) -> None:
    """Raises Failure (NETWORK) where the answer is about other bytes, or a file of another size."""
    if response.status == 206:
        stated = response.headers.get("Content-Range", "")
        is_right = stated.startswith(f"bytes {at}-") and stated.endswith((f"/{size_bytes}", "/*"))
    else:
        stated = f"{response.headers.get('Content-Length')} bytes"
        is_right = stated in (f"{size_bytes} bytes", "None bytes")
    if not is_right:
        message = f"{place_of(url)} answers with other bytes than asked for: {stated}, of {size_bytes} from {at}"
        raise Failure(message, hint="has it changed meanwhile? the same command asks anew", code=ExitCode.NETWORK)
