"""A folder of recordings: finds the one that answers a request, says which is the nearest where none does, and keeps
new ones. What counts are the files' contents; their names and folders are there for people.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from runtime.errors import RequestError
from runtime.recording import documents
from runtime.recording.differences import Difference, differences, nearest
from runtime.recording.documents import Recording, RecordingError
from runtime.recording.names import MANIFEST
from runtime.recording.rules import Asked, are_near, asked, fits_hidden
from runtime.sse import Json

_UNFIT = re.compile(r"[^A-Za-z0-9.\[\]_-]+")
_LONGEST_NAME = 60
_SHOWN_DIFFERENCES = 12
_Kept = tuple[Asked, Recording]


class Found(NamedTuple):
    """A recording, and why it was taken among several; empty where there was one."""

    recording: Recording
    rule: str


class Decision(NamedTuple):
    """Which of several recordings answered a request, and the rule by which it did."""

    scope: str
    provider: str
    operation: str
    path: Path
    rule: str

    @property
    def words(self) -> str:
        return f"`{self.operation}` of {self.provider}{_of(self.scope)} is answered by `{self.path}`: {self.rule}"


class Miss(NamedTuple):
    """A request that was not recorded. nearest: the file of the one that is most like it, if any."""

    scope: str
    provider: str
    operation: str
    nearest: Path | None
    differences: tuple[Difference, ...]

    @property
    def words(self) -> str:
        head = f"`{self.operation}` of {self.provider}{_of(self.scope)} was not recorded as it is asked now"
        if self.nearest is None:
            return f"{head}, nor is there anything like it"
        shown = [f"  {one}" for one in self.differences[:_SHOWN_DIFFERENCES]]
        if (more := len(self.differences) - len(shown)) > 0:
            shown.append(f"  and {more} more")
        return "\n".join([f"{head}; the nearest is `{self.nearest}`:", *shown])


class NotRecorded(RequestError):
    """A request without a recording, in a replay. Clients do not ask again."""

    code = "not_recorded"

    def __init__(self, miss: Miss) -> None:
        super().__init__(
            miss.words, hint="record again: the same with `--record`, or `--record-if-missing`, in place of `--replay`"
        )
        self.miss = miss


class Library:
    """The recordings below a folder. Raises RecordingError for one that cannot be used.

    times: how often each request was asked, of which test. fresh: what was recorded anew by this process: the first
    time, what was there before goes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_key: dict[str, list[_Kept]] = defaultdict(list)
        self._times: Counter[tuple[str, str, Path | None]] = Counter()
        self._fresh: dict[tuple[str, str, str], list[Asked]] = defaultdict(list)
        for recording in stored(folder):
            self.add(recording)

    def __len__(self) -> int:
        return sum(map(len, self._by_key.values()))

    def all(self) -> Iterator[Recording]:
        """Every recording, in no order."""
        for entries in self._by_key.values():
            for _, recording in entries:
                yield recording

    def begin(self, scope: str) -> None:
        """A test begins, perhaps again: its requests are counted from the first."""
        for place in [place for place in self._times if place[0] == scope]:
            del self._times[place]

    def find(self, scope: str, provider: str, request: Json) -> Found | None:
        """What answers a request; None where nothing does. Each time that it is asked gets the next of several
        recordings, and the last one again after that.
        """
        what = asked(request)
        fitting, rules = self._same(what), []
        if not fitting:
            fitting = self._same_but_hidden(what)
            rules.append("the same but for what is hidden")
        if not fitting:
            return None
        for rule, of_it in (
            ("this test's own", [pair for pair in fitting if pair[1].scope == scope]),
            ("belongs to no test", [pair for pair in fitting if not pair[1].scope]),
            ("another test's", fitting),
        ):
            if of_it:
                if len(of_it) < len(fitting) or _are_others(of_it, scope):
                    rules.append(rule)
                break
        closer: tuple[tuple[str, Callable[[_Kept], bool]], ...] = (
            ("the same provider", lambda pair: pair[1].provider == provider),
            ("the same server", lambda pair: pair[1].request.get("server") == request.get("server")),
            ("to the letter", lambda pair: pair[0].letter == what.letter),
        )
        for rule, is_closer in closer:
            those = list(filter(is_closer, of_it))
            if those and len(those) < len(of_it):
                rules.append(rule)
            of_it = those or of_it
        chosen = [one for _, one in of_it]
        turn = self._times[scope, provider, chosen[0].path]
        self._times[scope, provider, chosen[0].path] += 1
        if len(chosen) > 1:
            rules.append(f"answer {min(turn + 1, len(chosen))} of {len(chosen)}")
        return Found(chosen[min(turn, len(chosen) - 1)], ", ".join(rules))

    def miss(self, scope: str, provider: str, request: Json) -> Miss:
        """What is said of a request that has no recording."""
        what, asked_for = asked(request), Recording(provider=provider, request=request, answer={})
        alike = [
            (kept.value, (kept, one))
            for entries in self._by_key.values()
            for kept, one in entries
            if one.operation == asked_for.operation
        ]
        own = [pair for pair in alike if not scope or pair[1][1].scope in ("", scope)]  # without a test all may answer
        same = [pair for pair in own if pair[1][1].provider == provider]
        found = nearest(what.value, same or own or alike)
        if found is None:
            return Miss(scope, provider, asked_for.operation, None, ())
        kept, recording = found
        other = Difference("(vectors)", "another vector", "one far from it")
        if recording.provider != provider:
            other = Difference("(provider)", recording.provider, provider)
        parts = differences(kept.value, what.value) or [other]
        return Miss(scope, provider, asked_for.operation, recording.path, tuple(parts))

    def keep(self, recording: Recording, *, instead: Path | None = None) -> Path | None:
        """Write a recording. instead: the file of an earlier attempt of the same call, whose place it takes. Returns
        its file; None where the last recording of the same request says the same. Raises OSError, and RecordingError
        for one that is too large.
        """
        path = self.place(recording, instead=instead)
        if path is not None:
            documents.save(recording, path)
            self.add(recording)
        return path

    def place(self, recording: Recording, *, instead: Path | None = None) -> Path | None:
        """The first half of `keep`, for whoever writes by themselves: where it belongs. What it replaces is gone."""
        what = asked(recording.request)
        place = recording.scope, what.key, recording.provider
        same = [one for _, one in self._same(what) if (one.scope, one.provider) == (place[0], place[2])]
        is_fresh = any(are_near(one.vectors, what.vectors) for one in self._fresh[place])
        if not is_fresh and instead is None:
            self._fresh[place].append(what)
            for old in same:
                self._forget(what.key, old)
            same = []
        if instead is not None:
            for one in same:
                if one.path == instead:
                    self._forget(what.key, one)
            return instead
        if same and same[-1].answer | {"timing": None} == recording.answer | {"timing": None}:
            return None
        return self._free_path(recording, what.key, len(same) + 1)

    def add(self, recording: Recording) -> None:
        """One that was written: the second half of `keep`."""
        what = asked(recording.request)
        self._by_key[what.key].append((what, recording))

    def _same(self, what: Asked) -> list[_Kept]:
        """Those of the same request."""
        return [pair for pair in self._by_key.get(what.key, ()) if are_near(pair[0].vectors, what.vectors)]

    def _same_but_hidden(self, what: Asked) -> list[_Kept]:
        """Those that are the same whatever was hidden in them: whoever replays may hide less, and know no keys."""
        return [
            (kept, one)
            for entries in self._by_key.values()
            for kept, one in entries
            if kept.has_hidden and fits_hidden(kept.value, what.value) and are_near(kept.vectors, what.vectors)
        ]

    def _forget(self, key: str, recording: Recording) -> None:
        if recording.path is not None:
            documents.remove(recording.path)
        self._by_key[key] = [pair for pair in self._by_key[key] if pair[1] is not recording]

    def _free_path(self, recording: Recording, key: str, number: int) -> Path:
        """A file that is not there yet: those of a provider with the same name in another API are found beside it."""
        folder = self.folder.joinpath(*folders_of(recording.scope))
        name = _fit(f"{recording.provider.rpartition('/')[2]}-{recording.operation}")
        while True:
            ending = f"-{number}" if number > 1 else ""
            path = folder / f"{name}-{key[:10]}{ending}{documents.ENDING}"
            if not path.exists():
                return path
            number += 1


def _of(scope: str) -> str:
    return f" of the test `{scope}`" if scope else ""


def stored(folder: Path) -> Iterator[Recording]:
    """Every recording below a folder, in the order of their names. Raises RecordingError."""
    if folder.exists() and not folder.is_dir():
        raise RecordingError(f"`{folder}` is no folder", hint="name the folder of the recordings")
    return map(documents.load, paths(folder))


def check_recorded(folder: Path) -> None:
    """Raises RecordingError where a folder holds no recordings, or the first one cannot be used."""
    if next(stored(folder), None) is None:
        raise RecordingError(
            f"`{folder}` holds no recordings", hint="record them: the same with `--record` in place of `--replay`"
        )


def paths(folder: Path) -> Iterator[Path]:
    """The file of each, in the same order; none where there is no folder."""
    for path in sorted(folder.rglob(f"*{documents.ENDING}"), key=_by_number):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.name != MANIFEST and not is_hidden and not path.is_dir():  # a test may be called `reads a.json`
            yield path


def _are_others(recordings: list[_Kept], scope: str) -> bool:
    """Whether they belong to other tests than this one."""
    return bool(scope) and all(one.scope not in ("", scope) for _, one in recordings)


def folders_of(scope: str) -> list[str]:
    """The folders, one in the other, of a test's recordings: for `tests/test_a.py::test_b[1]` its file and its name."""
    file, *names = scope.split("::")
    return [_fit(part) for part in (*file.split("/"), *names) if part not in ("", ".", "..")]


def _fit(name: str) -> str:
    """A name that every file system takes, and that is another one for every name."""
    fit = _UNFIT.sub("-", name).strip("-.")
    if fit == name and len(fit) <= _LONGEST_NAME:
        return fit
    short = fit[:_LONGEST_NAME].rstrip("-.")
    is_lossy = len(fit) > _LONGEST_NAME or re.sub(r"[ /:]+", "-", name).strip("-.") != fit
    return f"{short}-{sha256(name.encode(errors='surrogateescape')).hexdigest()[:6]}" if is_lossy else short


def _by_number(path: Path) -> tuple[str, int]:
    """The first recording of a request before its second, and its ninth before its tenth."""
    stem, _, number = path.stem.rpartition("-")
    is_number = number.isdecimal() and len(number) < 5 and bool(stem)  # a digest has ten digits
    return (str(path.with_name(stem)), int(number)) if is_number else (str(path.with_suffix("")), 1)
