"""The beginning of a server's life, for `run`, `restart` and single commands: its process, and the wait for readiness.

Knows the words for a start that fails. Builds nothing, and leaves what comes after to those commands.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import log, records, tidy
from llama_cli.servers.choices import Choices
from llama_cli.servers.goals import READY, Goal
from llama_cli.servers.process import START_TIMEOUT_S, ManagedServer, Signals
from llama_cli.servers.records import Record
from llama_cli.servers.waiting import Awaited
from llama_cli.terminal import words
from llama_cli.terminal.progress import working
from runtime.trees import remove_tree

LAST_LINES = 10
"""Of a log, where something went wrong."""

_LOOK_S, _OF_THE_WAIT, _LOOK_AT_MOST_S = 0.02, 0.02, 0.25
"""Between two looks at a record: at least, as a part of how long it has taken so far, at most."""


def started(
    command: Sequence[str],
    record: Record,
    choices: Choices,
    variables: Mapping[str, str],
    *,
    in_front: bool,
    shows_log: bool,
    is_first: bool = True,
) -> ManagedServer:
    """A server's process. is_first: it is no restart, so that it finds no state that is to be its own alone, and leaves
    no record where it cannot be started. Raises Failure, and OSError.
    """
    try:
        if choices.own_state and is_first:
            _remove_state(record)  # what an earlier server of this id left there is not this one's state
        return ManagedServer(command, record, variables, in_front=in_front, shows_log=shows_log)
    except BaseException as error:
        records.rewrite(record, state="failed", reason=f"it could not be started: {error}")
        if is_first:
            tidy.forget(record)
        raise


def ready_record(server: ManagedServer, record: Record) -> Record:
    """The record of a server that has become ready. Raises Failure where somebody has removed it."""
    ready = server.record()
    if ready is None:
        hint = "was `servers/` in the Llama home emptied?"
        raise Failure(f"the record of `{record.id}` is gone", hint=hint)
    return ready


def _remove_state(record: Record) -> None:
    assert record.state_dir
    with suppress(OSError):
        remove_tree(Path(record.state_dir))


def wait_until_ready(
    server: ManagedServer, record: Record, signals: Signals, *, timeout_s: float | None, goals: Sequence[Goal]
) -> int | None:
    """Returns the signal that asked to end meanwhile, or None when it is ready, and everything else that is wanted.
    timeout_s: what the user allows for that. Raises Failure when it will not be.
    """
    facts = {"id": record.id, "log_file": record.log_file}
    began = noted = time.monotonic()
    limit_s = timeout_s or START_TIMEOUT_S
    awaited = Awaited(name=record.id, record=record)
    with working(f"starting `{record.id}`") as step:
        while not (server.has_ended() or (server.is_settled() and awaited.is_all(goals))):
            now = time.monotonic()
            # The longer it takes, the busier the machine: looking at a record costs it something, too.
            for number in signals.wait(min(max(_LOOK_S, (now - began) * _OF_THE_WAIT), _LOOK_AT_MOST_S)):
                return number
            step.detail = awaited.lacks
            if now - noted > records.UNLOCKED_GRACE_S / 4:
                records.note_start(record)
                noted = now
            if now - began > limit_s:
                server.kill()
                unmet, lacks = awaited.unmet or READY.unmet, f": {awaited.lacks}" if awaited.lacks else ""
                raise Failure(
                    f"`{record.id}` {unmet} after {words.duration(limit_s)}{lacks}{last_words(server)}",
                    hint=f"the whole log: `{record.log_file}`",
                    code=ExitCode.TIMEOUT if timeout_s else ExitCode.UNHEALTHY,
                    facts=facts,
                )
    if not server.has_ended():
        return None
    if server.was_stopped:
        by = ExitCode.INTERRUPTED if server.process.returncode == -signal.SIGINT else ExitCode.TERMINATED
        raise Failure(f"`{record.id}` was stopped before it was ready", code=by, facts=facts)
    code = server.exit_code() or ExitCode.UNHEALTHY
    why = server.why_it_ended()
    if code == ExitCode.UNHEALTHY:
        why = f"{why.rstrip('.')}{last_words(server, beyond=why)}"
    ended = server.record()
    hint = (ended.hint if ended is not None else None) or _way_out(code, record)
    raise Failure(f"`{record.id}` did not start: {why}", hint=hint, code=code, facts=facts)


def last_words(server: ManagedServer, *, beyond: str = "") -> str:
    """What this start has said that was not shown yet, and is no part of `beyond`; empty, or in words that follow what
    is said of its end.
    """
    if server.shows_log:
        return ""  # its log stands above
    lines = log.last_lines(server.error_file, LAST_LINES, beyond=beyond)
    lines = lines or log.last_lines(server.log_file, LAST_LINES, since_byte=server.log_began, beyond=beyond)
    return "".join(["; the last it said:", *(f"\n  {line}" for line in lines)]) if lines else ""


def _way_out(code: int, record: Record) -> str:
    if code == ExitCode.CONFLICT:
        return "take another port with `--port N`, or any free one with `--port 0`"
    if code == ExitCode.CONFIG:
        return f"correct `{record.config}`"
    return f"the whole log: `{record.log_file}`"
