"""What one server records or replays: how, where, of which test; and what was not recorded.

Recordings answer what providers ask of other servers (`upstream.py`), and what is asked of providers that compute in
this process (`calls.py`).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.context import current
from runtime.recording import documents
from runtime.recording.documents import Recording, RecordingError
from runtime.recording.hiding import Hiding
from runtime.recording.library import Decision, Library, Miss, NotRecorded, check_recorded
from runtime.recording.manifest import Manifest
from runtime.recording.used import UsedLog
from runtime.redaction import is_secret
from runtime.sse import Json

log = logging.getLogger(__name__)
Mode = Literal["record", "replay", "record-if-missing"]
TEST_HEADER = "x-llamastack-test"
"""The test that a request belongs to, for those that run side by side; the others belong to the one that has begun."""
_OLDER_TEST = "__test_id"
"""llama-stack's name for it, in the provider data of a request."""
_LONGEST_WORD = 20
_ATTEMPTS = 256
_TOLD = 1_000
_LATER_S = 15.0


@dataclass(frozen=True, kw_only=True)
class RecordingChoice:
    """As chosen for a server. is_timed: whether a replay takes as long as what was recorded. hidden: patterns of more
    secrets.
    """

    mode: Mode
    folder: Path
    is_timed: bool = False
    hidden: tuple[str, ...] = ()


class Session:
    """Raises RecordingError for a folder that cannot be used, ConfigInvalid for a pattern that is none.

    secrets: those that this process knows.
    """

    def __init__(self, choice: RecordingChoice, *, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        self.mode = choice.mode
        self.folder = choice.folder
        self.is_timed = choice.is_timed
        self.hiding = Hiding(secrets, choice.hidden)
        self._misses: deque[Miss] = deque(maxlen=_TOLD)
        self._decisions: deque[Decision] = deque(maxlen=_TOLD)
        self._test = ""
        if choice.mode == "replay" and not choice.folder.is_dir():
            raise RecordingError(
                f"there are no recordings at `{choice.folder}`",
                hint="record them: the same with `--record` in place of `--replay`",
            )
        self._library = Library(choice.folder)
        self.manifest = Manifest.read(choice.folder) or Manifest({}, {})
        if choice.mode == "replay" and not len(self._library):
            check_recorded(choice.folder)
        self._used = UsedLog(choice.folder)
        self._attempts: OrderedDict[int, tuple[object, Path]] = OrderedDict()
        self._later: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()
        self.failure = ""

    def __len__(self) -> int:
        """How many recordings there are."""
        return len(self._library)

    @property
    def test(self) -> str:
        """The test that has begun; empty for none."""
        return self._test

    @property
    def misses(self) -> Sequence[Miss]:
        """What was not recorded, the oldest first."""
        return tuple(self._misses)

    @property
    def decisions(self) -> Sequence[Decision]:
        """Which of several recordings were taken, and why, the oldest first."""
        return tuple(self._decisions)

    @property
    def replays(self) -> bool:
        """Whether nothing is asked for real."""
        return self.mode == "replay"

    def begin(self, test: str) -> None:
        """A test begins; empty for none."""
        self._test = self.scope_of(test)
        self._library.begin(self._test)

    def scope(self) -> str:
        """The test that the current request belongs to."""
        context = current()
        named = context.header(TEST_HEADER) or context.provider_data.get(_OLDER_TEST)
        return self.scope_of(named) if isinstance(named, str) and named else self._test

    def scope_of(self, test: str) -> str:
        """The name of a test as recordings have it: it may have been made of a key."""
        return self.hiding.text(test)

    def secrets_of_caller(self) -> Iterator[str]:
        """What the current request brings that nobody else may see."""
        context = current()
        yield from _texts_of({name: one for name, one in context.provider_data.items() if name != _OLDER_TEST})
        for name, value in context.request_headers.items():
            if is_secret(name.decode("latin-1")):
                yield from _words_of(value.decode("latin-1"))

    def find(self, scope: str, provider: str, request: Json) -> Recording | None:
        """The recording of a request; None where it is to be asked for real. Raises NotRecorded in a replay."""
        if self.mode == "record":
            return None
        found = self._library.find(scope, provider, request)
        if found is None or not _may_answer(found.recording, provider, request):
            if not self.replays:
                return None
            miss = self._library.miss(scope, provider, request)
            # What the stack asks by itself, such as for lists of models, may have had no answer before either.
            if current().is_serving:
                self._misses.append(miss)
            log.log(
                logging.ERROR if current().is_serving else logging.INFO,
                "not recorded",
                extra={"provider_id": provider, "error": miss.words},
            )
            raise NotRecorded(miss)
        assert found.recording.path is not None, "it was read from there"
        self._used.note(found.recording.path)
        if found.rule:
            decision = Decision(scope, provider, found.recording.operation, found.recording.path, found.rule)
            self._decisions.append(decision)
        said = {"file": str(found.recording.path), "rule": found.rule or "the only one"}
        log.debug("answered from a recording", extra=said)
        return found.recording

    def keep(self, recording: Recording, *, call: object, may_pass: bool) -> None:
        """Write what was asked and answered. call: what its attempts have in common. may_pass: whether there may be
        another one, which takes its place.
        """
        before = self._attempts.pop(id(call), None)
        try:
            path = self._library.keep(recording, instead=before[1] if before else None)
        except (OSError, RecordingError) as error:
            self._not_written(error)
            return
        if path is None:
            return
        self._used.note(path)
        if may_pass:
            self._attempts[id(call)] = call, path
            while len(self._attempts) > _ATTEMPTS:
                self._attempts.popitem(last=False)

    async def keep_large(self, recording: Recording) -> None:
        """Write what a call of its own was asked and answered, while others are served. One after the other: the next
        one of the same request has to find this one.
        """
        async with self._writing:
            try:
                path = self._library.place(recording)
                if path is None:
                    return
                await asyncio.to_thread(documents.save, recording, path)
            except (OSError, RecordingError) as error:
                self._not_written(error)
                return
            self._library.add(recording)
        self._used.note(path)

    def note_stack(self, variables: Mapping[str, str], providers: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep what a replay has to know of the stack, beside what is known already."""
        if self.replays:
            return
        self.manifest.variables |= variables
        self.manifest.providers |= self.hiding.answer({"providers": providers})["providers"]
        try:
            self.manifest.write(self.folder)
        except OSError as error:
            self._not_written(error)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what nobody waits for; `close` does, for a while, and then cancels it."""
        task = asyncio.create_task(_told(work), name="record the rest of an answer")
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _not_written(self, error: OSError | RecordingError) -> None:
        if isinstance(error, RecordingError):
            self.failure = error.message
        else:
            self.failure = f"`{self.folder}` cannot be written: {error.strerror or error}"
        log.error("not recorded", extra={"error": self.failure}, exc_info=error)

    async def close(self) -> None:
        """Wait for what is still being recorded, but not for ever."""
        if self._later:
            _, late = await asyncio.wait(self._later, timeout=_LATER_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._used.close()


def _may_answer(recording: Recording, provider: str, request: Json) -> bool:
    """Whether a recording answers this provider: what is read, such as a list of models, is what its own server has,
    while what is asked may be asked of any other.
    """
    is_its_own = recording.provider == provider or recording.request.get("server") == request.get("server")
    return is_its_own or request.get("method") not in ("GET", "HEAD")


async def _told(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception as error:
        log.warning("the rest of an answer is not recorded", extra={"error": repr(error)})


def _words_of(header: str) -> Iterator[str]:
    """A header with a secret, and what it may consist of: a scheme and a key, cookies with their names. Without what
    may be a word of a prompt as well: many a client is given `anything` as its key.
    """
    for word in re.split(r"[\s;]+", header):
        for one in (word, word.partition("=")[2]):
            if len(one) >= _LONGEST_WORD or any(map(str.isdecimal, one)):
                yield one


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts_of(inner)
