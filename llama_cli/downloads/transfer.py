"""Brings the files of one model here: several pieces at once, each checked, and the model under its name only when all
of it is there.

    <home>/models/.incomplete/NAME/.lock                held while a process works on it
                                  /.llama-model.json    which model it is, as in a whole one; without files
                                  /parts/               files that are not whole, with notes of what has come
                                  /files/               files that are
    <home>/models/NAME/                                 the last, renamed

Knows folders, pieces and their order. Whoever asks for what decides elsewhere.
"""

from __future__ import annotations

import http.client
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition, Thread

from llama_cli.downloads.part import Part
from llama_cli.downloads.remote import RemoteModel
from llama_cli.downloads.web import BrokenOff, Refused, Web, why
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal.progress import Step
from llama_cli.weights.checksums import digests
from llama_cli.weights.held import held
from llama_cli.weights.manifest import FileRecord, Manifest, read_manifest
from llama_cli.weights.places import INCOMPLETE
from llama_cli.weights.room import check_room
from runtime.addresses import place_of
from runtime.catalog.on_disk import MANIFEST
from runtime.config.home import atomic_write

_READ_BYTES = 2**18
_NOTED_EVERY_BYTES = 8 * 2**20
"""So much of a piece is lost at most when the process is killed."""
_LAST_NOTES_S = 2.0


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
        digest is wrong; what `refusal` gives and `check` raises; NETWORK where a server stays away. What has come is
        kept.
        """
        with held(self._work):
            if self.target.exists():  # another process has ended meanwhile
                shutil.rmtree(self._work)
                raise Failure(f"`{self.target}` is there already", code=ExitCode.CONFLICT)
            self.check()
            atomic_write(self._work / MANIFEST, self._manifest(()).text())
            parts = self._parts()
            _Run(self, parts, step).run()
            files = (
                FileRecord(path=part.file.path, size_bytes=part.file.size_bytes, sha256=part.sha256 or "")
                for part in parts
            )
            manifest = self._manifest(tuple(files))
            self._publish(manifest)
        return manifest

    def check(self) -> None:
        """Raises Failure: CONFLICT where what has come under this name is of another model; FAILED where the disk has
        less room than what is to come.
        """
        begun = read_manifest(self._work)
        if begun is not None and (begun.model_id, begun.source) != (self.remote.model_id, self.remote.source):
            name = self.remote.name
            raise Failure(
                f"`{name}` is the name of a download of `{begun.model_id}` from {begun.source} that is not whole yet",
                hint=f"call this one otherwise with `--name`, or first `llama model remove {name}`",
                code=ExitCode.CONFLICT,
            )
        check_room(self.remote.name, self.remote.size_bytes - self.come_bytes(), self.models)

    def _parts(self) -> list[Part]:
        files = self._work / "files"
        return [Part(file, self._work / "parts", files / file.path) for file in self.remote.files]

    def _manifest(self, files: tuple[FileRecord, ...]) -> Manifest:
        return Manifest(
            model_id=self.remote.model_id,
            source=self.remote.source,
            origin=self.remote.origin,
            revision=self.remote.revision,
            added_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            files=files,
        )

    def _publish(self, manifest: Manifest) -> None:
        files = self._work / "files"
        wanted = {file.path for file in manifest.files}
        for path in files.rglob("*"):  # of an earlier try that wanted others
            if path.is_file() and path.relative_to(files).as_posix() not in wanted:
                path.unlink()
        atomic_write(files / MANIFEST, manifest.text())
        files.rename(self.target)
        shutil.rmtree(self._work, ignore_errors=True)


class _Run:
    """The threads of one try."""

    def __init__(self, transfer: Transfer, parts: list[Part], step: Step) -> None:
        self._transfer = transfer
        self._web = replace(transfer.web, waits=step.tell)
        self._step = step
        self._parts = parts
        self._changed = Condition()
        self._came = 0
        self._todo: deque[tuple[Part, int]] = deque()
        self._unasked: list[Part] = []
        """Of which only one piece is asked for yet: the answer tells whether the server knows ranges."""
        self._in_one: list[Part] = []
        """Of servers that send all of a file, whatever is asked for: so it comes once."""
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Raises as `Transfer.run` says; on an interruption at once, and what has come by then is noted."""
        self._step.done = sum(part.come_bytes for part in self._parts)
        missing = 0
        for part in self._parts:
            if part.is_whole:
                continue
            part.begin()
            missing += len(part.pieces)
            if part.pieces:
                self._todo.append((part, part.pieces[0]))
                self._unasked.append(part)
            else:
                self._finish(part)
        count = min(self._transfer.parallel, missing)
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
            while (next_one := self._next()) is not None:
                part, first = next_one
                self._step.tell(part.file.path)
                if self._fetch(part, first):
                    self._finish(part)
        except BaseException as error:
            with self._changed:
                self._failure = self._failure or error
                self._web.given_up.set()
                self._changed.notify_all()

    def _next(self) -> tuple[Part, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._todo or not self._unasked or self._web.given_up.is_set())
            return self._todo.popleft() if self._todo and not self._web.given_up.is_set() else None

    def _has_answered(self, part: Part, first: int, *, with_range: bool) -> None:
        """Let the other pieces of a file be asked for, or all of it come with this answer."""
        with self._changed:
            if part in self._unasked:
                self._unasked.remove(part)
                if with_range:
                    self._todo.extendleft((part, other) for other in reversed(part.pieces) if other != first)
                else:
                    self._in_one.append(part)
                    self._step.done -= part.leave_out(others_than=first)
                self._changed.notify_all()

    def _fetch(self, part: Part, first: int) -> bool:
        """One piece; what breaks off goes on from where it did. Whether the file then has all of its pieces."""
        url, end = part.file.url, first + part.length(first)
        at = noted = first + part.come_of(first)

        def read() -> None:
            nonlocal at, noted, end
            with self._web.open(url, first=at, last=end - 1) as response:
                skip = at if response.status != 206 else 0  # a server that knows no ranges sends all
                _check_range(response, url, at, part.file.size_bytes)
                self._has_answered(part, first, with_range=response.status == 206)
                if part in self._in_one:
                    end = part.file.size_bytes
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
        self._step.tell(f"checking {part.file.path}")
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
        with self._changed:
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
