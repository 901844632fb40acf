"""Which server a command asks: the one whose address or name is given, else the only one that runs here.

Knows records and how an address looks. Asks no server.
"""

from __future__ import annotations

from llama_cli.servers import named, records
from llama_cli.servers.named import none_runs, several_run
from llama_cli.servers.records import Record
from runtime.errors import Unavailable

_OR_ELSE = ", or name one with `--url`"


def address_of(given: str | None, *, or_else: str = _OR_ELSE) -> str:
    """The address of a server. given: an address, or the name of a server that runs here. or_else: what else would do
    where none runs, for the hint.

    Raises Unavailable where none runs, or the named one does not answer yet or any more; Failure (USAGE) where several
    do; NotFound, with close names, for what is neither a name nor an address.
    """
    if given is None:
        return _only_one(or_else)
    if "://" in given:  # no name has that, so it needs no home folder to look one up
        return given
    try:
        return _answering(named.find(given))
    except named.Elsewhere:
        return given


def _only_one(or_else: str) -> str:
    known = records.records()
    alive = [record for record in known if record.alive]
    running = [record for record in alive if record.can_be_asked] or alive
    if len(running) > 1:
        raise several_run(running, hint=f"choose one with `--url {running[0].id}`")
    # What has become of the only one that there was is what its user wants to hear.
    fitting = running or [record for record in known if record.seen_state == "crashed"]
    if len(fitting) != 1:
        raise none_runs(or_else=or_else)
    return _answering(fitting[0])


def _answering(record: Record) -> str:
    if record.url and record.can_be_asked:
        return record.url
    if record.state == records.UNREADABLE:
        raise records.unreadable(record)
    why = f": {record.explanation}" if record.explanation else ""
    way_out = f"llama stack wait {record.id}" if record.seen_state == "starting" else f"llama stack restart {record.id}"
    raise Unavailable(f"`{record.id}` is {record.seen_state}{why}", hint=f"`{way_out}`")
