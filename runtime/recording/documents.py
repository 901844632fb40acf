"""A recording: what was asked of a provider, and what it answered. One JSON file each, with bytes in files beside it.

    {
      "schema": 1,
      "test": "tests/test_chat.py::test_hello",
      "provider": "inference/openai",
      "request": {"method": "POST", "server": "https://api.openai.com", "path": "/v1/chat/completions", "json": {...}},
      "answer": {"status": 200, "headers": {"content-type": "application/json"}, "json": {...}}
    }

`test` is left out of what belongs to none. A request over HTTP has `method`, `server`, `path`, `query`, `headers` and a
body (`bodies.py`); a call of a provider in this process has `call`, the name of the method, `json`, and of a server
whose address it names `server`, `path` and `query`. An answer over HTTP has `status`, `headers` and a body, an answer
of a call is one of `answers.py`. `timing`, in milliseconds: when the answer began, and each of its events.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec

from runtime.config.home import atomic_write
from runtime.errors import StackError
from runtime.recording.bodies import Held
from runtime.recording.layout import as_read, laid_out
from runtime.sse import Json

SCHEMA = 1
ENDING = ".json"
_BYTES = 64 * 1024 * 1024
_MODE = 0o644  # they are committed, and hold no secret
_DIGITS = 12
_decode = msgspec.json.Decoder().decode


def _is_pairs(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one) for one in value
    )


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _is_timing(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("events_ms", []), list):
        return False
    return all(_is_number(one) for one in (value.get("began_ms", 0), *value.get("events_ms", [])))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


_FORMS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("method", "server", "path", "call", "text"), ("text", lambda value: isinstance(value, str))),
    "headers": ("object of texts", _is_texts),
    "error": ("object", lambda value: isinstance(value, dict)),
    "timing": ("object of milliseconds", _is_timing),
    **dict.fromkeys(("query", "fields"), ("list of pairs of texts", _is_pairs)),
    **dict.fromkeys(("events", "parts"), ("list of objects", _is_objects)),
    "status": ("HTTP status", lambda value: type(value) is int and 100 <= value <= 599),
    "bytes": ("bytes of a file", lambda value: isinstance(value, Held)),
}
"""What members of a request and an answer are, where they are there: what that is called, and whether a value is it."""


class RecordingError(StackError):
    """Recordings that cannot be used: with the file, what is wrong with it, and what to do."""

    code = "recording_not_usable"


class Recording(msgspec.Struct, kw_only=True):
    """provider: `api/id`. path: its file; None before it is written. scope: its test; empty for none."""

    provider: str
    request: Json
    answer: Json
    path: Path | None = None
    scope: str = ""

    @property
    def operation(self) -> str:
        """What is asked for, as messages say it: `POST /v1/embeddings`, or the method of a call."""
        if "call" in self.request:
            return str(self.request["call"])
        return f"{self.request.get('method', '')} {self.request.get('path', '')}".strip()


def load(path: Path) -> Recording:
    """Read one. Raises RecordingError for a file that is damaged, of a newer schema, or no recording."""
    try:
        if path.stat().st_size > _BYTES:
            raise _damaged(path, "is larger than 64 MB")
        value = _decode(path.read_bytes())
    except OSError as error:
        raise _damaged(path, f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"is not JSON: {error}") from error
    if not isinstance(value, dict) or "schema" not in value:
        raise RecordingError(
            f"`{path}` is no recording: it has no `schema`",
            hint="give recordings a folder of their own, or restore it if it was one",
        )
    check_schema(value["schema"], path)
    parts = {name: value.get(name) for name in ("request", "answer")}
    wrong = [name for name, part in parts.items() if not isinstance(part, dict)]
    if wrong or not isinstance(value.get("provider"), str):
        raise _damaged(path, f"lacks `{wrong[0] if wrong else 'provider'}`")
    try:
        read: Mapping[str, Any] = as_read(parts, lambda name: _held(path, name))
    except (ValueError, TypeError) as error:
        raise _damaged(path, f"is damaged: {error}") from error
    if problem := problem_of(read["request"], read["answer"]):
        raise _damaged(path, f"is damaged: {problem}")
    return Recording(
        provider=value["provider"],
        request=read["request"],
        answer=read["answer"],
        path=path,
        scope=str(value.get("test", "")),
    )


def problem_of(request: Any, answer: Any) -> str:
    """What of a request and its answer cannot be used, in words; empty for nothing."""
    for part, members in (("request", request), ("answer", answer)):
        if not isinstance(members, dict):
            return f"`{part}` is no object"
        for name, (kind, is_it) in _FORMS.items():
            if name in members and not is_it(members[name]):
                return f"`{part}.{name}` is no {kind}"
    return ""


def check_schema(schema: object, path: Path) -> None:
    """Raises RecordingError for a schema that this version does not know."""
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise _damaged(path, f"has the schema `{schema}`, which is none")
    if schema > SCHEMA:
        raise RecordingError(
            f"`{path}` has the schema {schema}; this version of llama reads {SCHEMA}",
            hint="update llama, or record again with this version",
        )


def save(recording: Recording, path: Path) -> None:
    """Write one, the bytes beside it first: a file with the name `path` is always whole. Nothing is left of a recording
    that was there. Raises OSError, and RecordingError for one that is so large that `load` refuses it; then nothing is
    written.
    """
    beside: dict[Path, bytes] = {}

    def keep(held: Held) -> str:
        its_file = file_beside(path, held)
        beside[its_file] = held.data
        return its_file.name

    shown: Json = {"schema": SCHEMA, "test": recording.scope} if recording.scope else {"schema": SCHEMA}
    shown |= {"provider": recording.provider, "request": recording.request, "answer": recording.answer}
    text = laid_out(shown, keep)
    if len(text) > _BYTES:
        raise RecordingError(f"`{path}` would be larger than 64 MB, which is not read again")
    for its_file, data in beside.items():
        atomic_write(its_file, data, mode=_MODE)
    atomic_write(path, text, mode=_MODE)
    for one in files_of(path):
        if one != path and one not in beside:
            one.unlink(missing_ok=True)
    recording.path = path


def file_beside(path: Path, held: Held) -> Path:
    """The file of bytes that belong to a recording."""
    return path.with_name(f"{path.stem}-{hashlib.sha256(held.data).hexdigest()[:_DIGITS]}{held.suffix}")


def files_of(path: Path) -> list[Path]:
    """A recording's file, and those of the bytes beside it."""
    named = re.compile(rf"{re.escape(path.stem)}-[0-9a-f]{{{_DIGITS}}}\.\w+")
    names = sorted(os.listdir(path.parent)) if path.parent.is_dir() else []  # noqa: PTH208  # of many, a few
    return [path, *(path.with_name(name) for name in names if named.fullmatch(name) and not name.endswith(ENDING))]


def remove(path: Path, *, below: Path | None = None) -> None:
    """Remove a recording with its bytes. What is gone already is no error. below: the folder of all recordings; those
    in it that are empty then go too.
    """
    for one in files_of(path):
        one.unlink(missing_ok=True)
    parents = path.parents if below is not None and path.is_relative_to(below) else ()
    for folder in takewhile(lambda folder: folder != below, parents):
        with suppress(OSError):  # not empty, or gone
            folder.rmdir()


def _held(path: Path, name: str) -> Held:
    if os.sep in name or name.startswith("."):
        raise ValueError(f"`{name}` is not a file beside it")
    try:
        return Held(path.with_name(name).read_bytes(), Path(name).suffix)
    except OSError as error:
        raise ValueError(f"its file `{name}` cannot be read: {error.strerror}") from error


def _damaged(path: Path, why: str) -> RecordingError:
    return RecordingError(f"`{path}` {why}", hint="restore it, or remove it and record again")
