"""Puts our settings into another program's file, beside whatever else stands there.

Knows JSON, YAML and how a file is replaced with a copy kept. A file with comments, or with values that would not be the
same once they are written again, is never rewritten: then a person has to paste. Knows no client.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
import time
from collections.abc import Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

from llama_cli.clients._client import Client, Form, Server
from llama_cli.exits import ExitCode, Failure
from runtime.config.home import atomic_write
from runtime.config.text import read_text

_NAMED_BY = ("model_id", "name", "id")
"""By what an entry of a list is known, the first that it has."""

_HINT = "paste what is printed without `--write`"


def as_text(settings: Any, form: Form, *, indent: int | str = 2) -> str:
    """Settings as they stand in a file. indent: of JSON, in blanks or as it is."""
    if form == "toml":
        return str(settings)
    if form == "json":
        return json.dumps(settings, indent=indent, ensure_ascii=False) + "\n"
    import yaml

    class Dumper(yaml.SafeDumper):
        """Leaves texts of several lines as blocks."""

    def block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, block)
    return str(yaml.dump(settings, Dumper=Dumper, sort_keys=False, allow_unicode=True))


def whole(client: Client, server: Server) -> Any:
    """All that a new file has."""
    assert client.settings is not None
    settings = client.settings(server)
    return {**client.initial, **settings} if client.initial else settings


def changed(file: Path, client: Client, server: Server) -> tuple[str, str]:
    """The text of a file as it is, empty where it is not there, and as it should be.

    Raises Failure (CONFIG) for one that cannot be read as what it is, or would lose something.
    """
    assert client.settings is not None and client.form is not None
    form, new = client.form, whole(client, server)
    if not file.exists():
        if file.is_symlink():
            raise Failure(f"`{file}` is a link that leads nowhere", hint=_HINT, code=ExitCode.CONFIG)
        return "", as_text(new, form)
    before = read_text(file, what="file")
    if form == "toml":
        return before, as_text(new, form)
    there = _parsed(file, before, form)
    try:
        merged = _merged(there, client.settings(server)) if there is not None else new
    except _Differs as error:
        raise Failure(f"`{file}` has something else where {error}", hint=_HINT, code=ExitCode.CONFIG) from None
    if merged == there:
        return before, before
    indented = re.search(r"^[ \t]+", before, re.MULTILINE)
    return before, as_text(merged, form, indent=indented[0] if indented else 2)


def difference(file: Path, before: str, after: str) -> str:
    """What would change, as `diff -u` shows it; empty where nothing does."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(file), str(file), n=2
    )
    return "".join(lines)


def write(file: Path, text: str) -> Path | None:
    """Replace a file, behind any links, and return the copy of what was there; None where there was nothing.

    Raises OSError.
    """
    real = Path(os.path.realpath(file))
    if not real.exists():
        atomic_write(real, text)
        return None
    mode = stat.S_IMODE(real.stat().st_mode)
    stem = f"{real.name}.{time.strftime('%Y%m%dT%H%M%S')}"
    names = chain([f"{stem}.bak"], (f"{stem}-{number}.bak" for number in count(2)))
    copy = next(place for name in names if not (place := real.with_name(name)).exists())
    atomic_write(copy, real.read_bytes(), mode=mode)
    atomic_write(real, text, mode=mode)
    return copy


def _parsed(file: Path, text: str, form: Form) -> Any:
    if not text.strip():
        return None
    if form == "json":
        try:
            return json.loads(text, object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError) as error:
            message = f"`{file}` is no plain JSON: {error}"
            raise Failure(message, hint=f"it may have comments: {_HINT}", code=ExitCode.CONFIG) from error
    # Also where it stands in a text: nothing is lost by asking a person.
    if re.search(r"(^|\s)#", text):
        raise Failure(f"`{file}` has comments, which would be lost", hint=_HINT, code=ExitCode.CONFIG)
    import yaml

    try:
        there = yaml.safe_load(text)
        # `yes`, `1.10` or `12:30` mean one thing to us and another to who reads the file: each has to stay as written.
        is_kept = _as_written(as_text(there, "yaml")) == _as_written(text)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise Failure(f"`{file}` cannot be read: {error}", hint=_HINT, code=ExitCode.CONFIG) from error
    if not is_kept:
        message = f"`{file}` has values that would be written otherwise"
        raise Failure(message, hint=_HINT, code=ExitCode.CONFIG)
    return there


def _as_written(text: str) -> Any:
    """YAML with each scalar as it stands there."""
    import yaml

    return yaml.load(text, yaml.BaseLoader)  # noqa: S506  # it makes texts, lists and mappings only


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members. Raises ValueError where one is there twice, since only the last would stay."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


class _Differs(Exception):
    """A mapping or a list of ours meets something else; its text says where."""


def _merged(there: Any, ours: Any, place: str = "") -> Any:
    """Ours in what is there: mappings are joined, also entries of lists that have the same name. Raises _Differs."""
    if isinstance(ours, Mapping):
        if not isinstance(there, Mapping):
            raise _Differs(f"a mapping has to be{f' (`{place}`)' if place else ''}")
        joined = dict(there)
        for key, value in ours.items():
            at = f"{place}.{key}" if place else str(key)
            joined[key] = value if there.get(key) is None else _merged(there[key], value, at)
        return joined
    if isinstance(ours, list):
        if not isinstance(there, list):
            raise _Differs(f"a list has to be{f' (`{place}`)' if place else ''}")
        entries = list(there)
        for entry in ours:
            same = next((n for n, old in enumerate(entries) if old == entry or _is_named_as(old, entry)), None)
            if same is None:
                entries.append(entry)
            else:
                entries[same] = _merged(entries[same], entry, f"{place}[{same}]")
        return entries
    return ours


def _is_named_as(there: Any, ours: Any) -> bool:
    name = _name(ours)
    return name is not None and _name(there) == name


def _name(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return None
    return next((entry[key] for key in _NAMED_BY if key in entry), None)
