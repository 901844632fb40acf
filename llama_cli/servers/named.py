"""Which server of ours a name or an address means: its own id, its distribution, where it answers; without either the
only one there is. Starts nothing, asks nobody.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers.records import Record, records
from runtime.errors import NotFound, Unavailable
from runtime.similar import did_you_mean


def find(name: str | None, *, or_crashed: bool = False) -> Record:
    """The server with this id, or else the only one of this distribution, or the one that answers at this address;
    without a name, the only one that runs, or with `or_crashed`, where none does, the only one that has crashed.

    Raises NotFound (with close names), Elsewhere for the address of no server that runs here, Unavailable where none
    runs, and Failure where several fit.
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
        if not fitting and looks_like_an_address(name):
            fitting = _at(name, known)
            if not fitting:
                raise Elsewhere(name, hint=did_you_mean(name, [record.id for record in known]))
        if not fitting:
            close = did_you_mean(name, [record.id for record in known])
            raise NotFound(f"there is no server `{name}`", hint=close or "list them with `llama stack ps --all`")
    if len(fitting) > 1:
        raise several_run(fitting, hint="name one of them; `llama stack ps` tells them apart")
    return fitting[0]


def looks_like_an_address(text: str) -> bool:
    """Whether it can be meant as an address: names of servers are words."""
    host = text.partition("://")[2] or text
    return "://" in text or ":" in host or "/" in host or "." in host or host == "localhost"


class Elsewhere(NotFound):
    """An address at which no server answers that was started here: it can be asked, and nothing else."""

    def __init__(self, address: str, *, hint: str | None) -> None:
        asks = f"`llama stack status {shlex.quote(address)}` asks it"
        hint = hint or f"its log and its process are where it was started: run the command there; {asks}"
        super().__init__(f"no server that was started here answers at `{address}`", hint=hint)


def _at(address: str, known: Sequence[Record]) -> list[Record]:
    """Those that answer at an address, of which there can be one. Raises Failure (USAGE) for what is none."""
    from llama_cli.asking.reach import leads_to  # what it imports costs more than a name that is looked up

    return [record for record in known if record.alive and record.url and leads_to(address, record.url)]


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
