"""What an examination finds, and what it looks at. Knows no check."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from llama_cli.servers.records import Record

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class Repair:
    """What `--fix` does. what: in words, as in `remove FILE`; do: does it, raises OSError or StackError."""

    what: str
    do: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """id: stable, `check/what`. about: what it was found at, such as a distribution; empty for the machine.
    message: what is. cause: why, where that says more. fix: a command to paste, or what to set. repair: where that is
    safe to do for the user.
    """

    id: str
    level: Level
    message: str
    about: str = ""
    cause: str | None = None
    fix: str | None = None
    repair: Repair | None = field(default=None, compare=False)

    def document(self, *, fixed: bool) -> dict[str, Any]:
        """For `--json`."""
        stated = {name: getattr(self, name) for name in ("id", "level", "about", "message", "cause", "fix")}
        return {**stated, "repair": self.repair.what if self.repair else None, "fixed": fixed}


def ok(id: str, message: str, **facts: Any) -> Finding:
    return Finding(id=id, level="ok", message=message, **facts)


def warning(id: str, message: str, **facts: Any) -> Finding:
    return Finding(id=id, level="warning", message=message, **facts)


def error(id: str, message: str, **facts: Any) -> Finding:
    return Finding(id=id, level="error", message=message, **facts)


def typed(*words: str | Path) -> str:
    """A command to paste, whatever is in the names of its files."""
    return shlex.join(map(str, words))


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One that is examined. target: what leads to its run config; folder: where it is built, or would be; servers:
    those of its servers that run.
    """

    name: str
    target: str
    folder: Path | None = None
    servers: tuple[Record, ...] = ()

    @property
    def python(self) -> Path | None:
        """Its interpreter, whether or not it works; None where it is not built."""
        link = self.folder / ".venv" if self.folder else None
        return link / "bin/python" if link is not None and (link.is_symlink() or link.exists()) else None


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What is examined: this machine, distributions, servers. url: the address or the name of one server more.
    environment: the variables that all of it is seen with.
    """

    environment: Mapping[str, str]
    home: Path
    distributions: tuple[Distribution, ...] = ()
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question. ask: finds at least one thing, or nothing where the question has no meaning here. limit_s: how long
    it can take.
    """

    name: str
    ask: Callable[[Patient], Iterator[Finding]]
    limit_s: float = 15.0
