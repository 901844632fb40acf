"""Puts our settings into another program's file, beside whatever else stands there.

Knows JSON, YAML and how a file is replaced with a copy kept. A file with comments is never rewritten, since they would
be lost: then a person has to paste. Knows no client.
"""

from __future__ import annotations

import difflib
import json
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_cli.clients._client import Form
from llama_cli.console import ExitCode, Failure
from runtime.config.home import atomic_write
from runtime.config.text import read_text

_NAMED_BY = ("model_id", "name", "id")
"""By what an entry of a list is known, the first that it has."""


def as_text(settings: Any, form: Form) -> str:
    """Settings as they stand in a file."""
    if form == "toml":
        return str(settings)
    if form == "json":
        return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
    import yaml

    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def changed(file: Path, settings: Any, form: Form) -> tuple[str, str]:
    """The text of a file as it is, empty where it is not there, and as it should be.

    Raises Failure (CONFIG) for one that cannot be read as what it is, or has comments.
    """
    if not file.exists():
        return "", as_text(settings, form)
    before = read_text(file, what="file")
    if form == "toml":
        return before, as_text(settings, form)
    there = _parsed(file, before, form)
    merged = _merged(there, settings) if there is not None else settings
    return before, before if merged == there else as_text(merged, form)


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
    copy = real.with_name(f"{real.name}.{time.strftime('%Y%m%dT%H%M%S')}.bak")
    atomic_write(copy, real.read_bytes(), mode=mode)
    atomic_write(real, text, mode=mode)
    return copy


def _parsed(file: Path, text: str, form: Form) -> Any:
    if not text.strip():
        return None
    hint = "paste what is printed without `--write`"
    try:
        if form == "json":
            return json.loads(text)
        if any(line.lstrip().startswith("#") for line in text.splitlines()):
            message = f"`{file}` has comments, which would be lost"
            raise Failure(message, hint=hint, code=ExitCode.CONFIG)
        import yaml

        return yaml.safe_load(text)
    except (ValueError, RecursionError) as error:
        message = f"`{file}` is no plain JSON: {error}"
        raise Failure(message, hint=f"it may have comments: {hint}", code=ExitCode.CONFIG) from error
    except Failure:
        raise
    except Exception as error:  # YAML's, which is not imported for its name
        raise Failure(f"`{file}` cannot be read: {error}", hint=hint, code=ExitCode.CONFIG) from error


def _merged(there: Any, ours: Any) -> Any:
    """Ours in what is there: mappings are joined, entries of lists replaced where they have the same name."""
    if isinstance(there, Mapping) and isinstance(ours, Mapping):
        joined = dict(there)
        for key, value in ours.items():
            joined[key] = _merged(there[key], value) if key in there else value
        return joined
    if isinstance(there, list) and isinstance(ours, list):
        new = {_name(entry): entry for entry in ours}
        kept = [new.pop(_name(entry), entry) if _name(entry) is not None else entry for entry in there]
        return [*kept, *new.values()]
    return ours


def _name(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return None
    return next((entry[key] for key in _NAMED_BY if key in entry), None)
