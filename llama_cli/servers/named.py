"""Which server a name means: its own id, or its distribution; without a name the only one there is. Starts nothing."""

from __future__ import annotations

from collections.abc import Sequence

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers.records import Record, records
from runtime.errors import NotFound, Unavailable, did_you_mean


def find(name: str | None, *, or_crashed: bool = False) -> Record:
    """The server with this id, or else the only one of this distribution; without a name, the only one that runs, or
    with `or_crashed`, where none does, the only one that has crashed.

    Raises NotFound (with close names), Unavailable where none runs, and Failure where several fit.
    """
    known = records()
    if name is None:
        fitting = [record for record in known if record.alive]
        if not fitting and or_crashed:
            fitting = [record for record in known if record.seen_state == "crashed"]
        if not fitting:
            raise none_runs()
    else:
        named = [record for record in known if record.name == name]
        fitting = [record for record in known if record.id == name]
        fitting = fitting or [record for record in named if record.alive] or named
        if not fitting:
            close = did_you_mean(name, [record.id for record in known])
            raise NotFound(f"there is no server `{name}`", hint=close or "list them with `llama stack ps --all`")
    if len(fitting) > 1:
        raise several_run(fitting, hint="name one of them; `llama stack ps` tells them apart")
    return fitting[0]


def find_all(names: Sequence[str] | None) -> list[Record]:
    """Each of the servers that are named, once, before anything is done to the first. Raises as `find` does."""
    found = [find(name) for name in names] if names else [find(None)]
    return list({record.id: record for record in found}.values())


def none_runs(*, or_else: str = "") -> Unavailable:
    """Nothing runs where something has to. or_else: what else would do, for the hint."""
    return Unavailable("no server is running", hint=f"start one with `llama stack run starter`{or_else}")


def several_run(fitting: Sequence[Record], *, hint: str) -> Failure:
    """The user has to name one of them."""
    named = ", ".join(f"`{record.id}`" + (f" ({record.url})" if record.url else "") for record in fitting)
    return Failure(f"several servers fit: {named}", hint=hint, code=ExitCode.USAGE)
