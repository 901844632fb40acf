"""The recordings of a folder: all, or those that somebody means. A failure names each file that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from llama_cli.exits import ExitCode, Failure
from llama_cli.recordings.folder import RECORD, Place
from llama_cli.terminal.words import some
from runtime.config.home import expanded
from runtime.recording import documents, library
from runtime.recording.documents import Recording, RecordingError
from runtime.recording.rules import asked
from runtime.similar import names_for

_MOST = 5
_ALL = "`llama stack recordings ls` lists them all"


class Folder:
    """The recordings below a folder, as its files are called."""

    def __init__(self, place: Place) -> None:
        self.path, self.shown = place

    def recordings(self) -> list[Recording]:
        """All of them, by their names. Raises Failure (CONFIG) where there are none, and for those that cannot be used,
        all of which it names.
        """
        found, wrong = [], []
        for path in library.paths(self.path):
            try:
                found.append(documents.load(path))
            except RecordingError as error:
                wrong.append(error)
        if wrong:
            raise unusable(wrong)
        if not found:
            hint = RECORD.format(folder=self.shown)
            raise Failure(f"`{self.shown}` holds no recordings", hint=hint, code=ExitCode.CONFIG)
        return found

    def name_of(self, recording: Recording) -> str:
        """Its file, below the folder."""
        assert recording.path is not None, "it was read from there"
        return recording.path.relative_to(self.path).as_posix()

    def of_test(self, recordings: Iterable[Recording], test: str) -> list[Recording]:
        """Those of a test: by its name, the end of that, its file, or a pattern. Raises Failure (USAGE) for one that
        has none.
        """
        every = list(recordings)
        found = [one for one in every if is_of_test(one.scope, test)]
        if not found:
            known = {one.scope for one in every if one.scope}
            hint = names_for(test, known) or _ALL
            raise Failure(f"there are no recordings of a test `{test}`", hint=hint, code=ExitCode.USAGE)
        return found

    def fitting(self, recordings: Iterable[Recording], pattern: str | None) -> list[Recording]:
        """Those whose file, test, provider, operation or model fits a pattern; all without one. Raises Failure (USAGE)
        where none does.
        """
        every = list(recordings)
        if pattern is None:
            return every
        found = [
            one
            for one in every
            for facts in [(self.name_of(one), one.scope, one.provider, one.operation, model_of(one) or "")]
            if any(fnmatchcase(fact, pattern) for fact in facts)
        ]
        if not found:
            raise Failure.of_option("--only", f"no recording fits `{pattern}`", hint=_ALL)
        return found

    def named(self, name: str) -> Recording:
        """The one whose file is named, below the folder or not, or whose key begins so. Raises Failure: USAGE where it
        is none, or may be several; CONFIG where it cannot be used.
        """
        for path in (self.path / name, expanded(name).absolute()):
            if path.is_file():
                if not path.is_relative_to(self.path):
                    hint = f"name its folder: `--dir {path.parent}`"
                    raise Failure(f"`{name}` is not in `{self.shown}`", hint=hint, code=ExitCode.USAGE)
                return read(path)
        every = self.recordings()
        begun = [one for one in every if _names(one, name)]
        if len(begun) == 1:
            return begun[0]
        if begun:
            named = some([f"`{self.name_of(one)}`" for one in begun], _MOST)
            raise Failure(f"`{name}` may be {named}", hint="write more of the key", code=ExitCode.USAGE)
        raise Failure(f"there is no recording `{name}` in `{self.shown}`", hint=_ALL, code=ExitCode.USAGE)


def is_of_test(scope: str, test: str) -> bool:
    """Whether a test is the one that somebody means."""
    ends = scope == test or scope.endswith((f"::{test}", f"/{test}")) or scope.startswith((f"{test}::", f"{test}["))
    return bool(scope) and (ends or f"/{test}::" in scope or f"::{test}[" in scope or fnmatchcase(scope, test))


def read(path: Path) -> Recording:
    """A recording. Raises Failure (CONFIG) for one that cannot be used."""
    try:
        return documents.load(path)
    except RecordingError as error:
        raise unusable([error]) from error


def unusable(errors: Sequence[RecordingError]) -> Failure:
    """The failure that recordings are which cannot be used."""
    if len(errors) == 1:
        return Failure(errors[0].message, hint=errors[0].hint, code=ExitCode.CONFIG)
    lines = "".join(f"\n  {error.message}" for error in errors)
    hints = dict.fromkeys(str(error.hint) for error in errors)
    return Failure(f"{len(errors)} recordings cannot be used:{lines}", hint="; ".join(hints), code=ExitCode.CONFIG)


def model_of(recording: Recording) -> str | None:
    """The model that a request names, in its body or its address."""
    body = recording.request.get("json")
    model = body.get("model") if isinstance(body, dict) else None
    if not isinstance(model, str):
        before, _, after = str(recording.request.get("path", "")).partition("/models/")
        model = after.partition(":")[0] if before and after else None
    return model


def _names(recording: Recording, name: str) -> bool:
    return asked(recording.request).key.startswith(name) or (recording.path is not None and recording.path.stem == name)
