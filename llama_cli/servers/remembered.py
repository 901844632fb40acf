"""What servers said last about their models, for completion, which asks nobody.

    <home>/cache/models.json       address -> model id -> type

Knows that file. Losing it costs nothing, so whatever is wrong with it is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from runtime.config.home import atomic_write, cache_dir
from runtime.errors import StackError

_MOST_SERVERS = 20


def remember_models(url: str, models: Mapping[str, str]) -> None:
    """Note what a server serves: types by id. Written only where that is news."""
    known = remembered_models()
    if not models or known.get(url) == models:
        return
    kept = {other: served for other, served in known.items() if other != url}
    newest = dict([*kept.items(), (url, dict(models))][-_MOST_SERVERS:])
    with suppress(OSError, StackError):
        atomic_write(_file(), json.dumps(newest))


def remembered_models() -> dict[str, dict[str, str]]:
    """Types by id, by address, the newest last; empty where nothing is known."""
    with suppress(OSError, StackError, ValueError, RecursionError):
        noted = json.loads(_file().read_text(encoding="utf-8"))
        if isinstance(noted, dict):
            return {url: served for url, served in noted.items() if isinstance(served, dict)}
    return {}


def _file() -> Path:
    return cache_dir() / "models.json"
