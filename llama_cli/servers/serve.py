"""What `run` and `restart` share: build if needed, start the server, say when it is ready, stay with it or let it go.

Knows the words around a server's life. Knows no Typer, and leaves processes to `process.py`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import log, prepare, records, tidy
from llama_cli.servers.choices import Choices
from llama_cli.servers.goals import READY, Goal
from llama_cli.servers.prepare import Former
from llama_cli.servers.process import (
    KILL_AFTER_S,
    SAY_AFTER_S,
    START_TIMEOUT_S,
    ManagedServer,
    Signals,
    server_command,
)
from llama_cli.servers.ready import announce
from llama_cli.servers.records import AlreadyRunning, Record
from llama_cli.servers.second_run import check_same, until_ready
from llama_cli.servers.waiting import Awaited, wait
from llama_cli.terminal import console, words
from llama_cli.terminal.progress import working
from runtime.trees import remove_tree

if TYPE_CHECKING:
    from runtime.config.user_file import UserFile

_LAST_LINES = 10
_ENDED_EARLY = "was ended before all its requests had finished"


def serve(
    choices: Choices,
    variables: Mapping[str, str],
    *,
    timeout_s: float | None = None,
    announced_in: Sequence[UserFile] = (),
    replaces: Former | None = None,
    config: str | None = None,
    goals: Sequence[Goal] = (),
    env_words: Sequence[str] = (),
) -> int:
    """Start a server and return the exit code that the command ends with: in front when the server has ended, detached
    when it is ready, also where it runs already with the same choices.

    timeout_s: what the user allows for becoming ready. announced_in: receive the ready document. replaces: the server
    whose id, state folder and port this one takes over, and that serves until everything is built. config: the text
    behind `choices.target`, where that cannot be read again. goals: what it is to be, beyond answering, before it
    counts as ready.
    env_words: how variables were given, as typed.
    Raises Failure where it does not start, AlreadyRunning where another server holds its state.
    """
    from runtime.config import ready_files

    is_first = replaces is None
    tidy.sweep()
    try:
        record = prepare.prepare(choices, variables, config=config, replaces=replaces)
    except AlreadyRunning as running:
        if not (choices.detach and is_first):
            raise
        check_same(choices, variables, running, config=config, env_words=env_words)
        limit_s = timeout_s or START_TIMEOUT_S
        record = until_ready(running.record, timeout_s=limit_s)
        if goals:
            wait([Awaited(name=record.id, record=record)], goals, timeout_s=limit_s)
        console.say(f"`{record.id}` is already running")
        announce(record, announced_in, detached=True)
        return ExitCode.DONE
    port = replaces.record.port if replaces and choices.port == 0 else choices.port
    command = server_command(record, replace(choices, port=port).server_options())
    with Signals() as signals:
        try:
            if choices.own_state and is_first:
                _remove_state(record)  # what an earlier server of this id left there is not this one's state
            server = ManagedServer(command, record, variables, in_front=not choices.detach)
        except BaseException as error:
            records.rewrite(record, state="failed", reason=f"it could not be started: {error}")
            if is_first:
                _forget(record, choices)
            raise
        asked: int | None = None
        was_ready = was_announced = False
        try:
            asked = _wait_until_ready(server, record, signals, timeout_s, goals)
            if asked is None:
                ready = server.record()
                if ready is None:
                    message = f"the record of `{record.id}` is gone"
                    raise Failure(message, hint="was `servers/` in the Llama home emptied?")
                was_ready = True
                with working(f"asking `{record.id}`"):
                    announce(ready, announced_in, detached=choices.detach)
                was_announced = True
                if choices.detach:
                    return ExitCode.DONE
            asked = _stay(server, record.id, signals, asked)
        except BaseException as error:
            # A reader that leaves ends a command in good order, so what it has started stays: not a server in front,
            # which ends with its command, and of which nobody would know the address.
            nobody_reads = was_ready and isinstance(error, BrokenPipeError)
            if not (nobody_reads and choices.detach):
                server.kill()
                if was_ready and not was_announced:  # it has not crashed
                    reason = f"it was ended, since its address could not be announced: {error}"
                    records.rewrite(record, state="failed", reason=reason)
            if nobody_reads and not choices.detach:
                hint = "`--detach` serves on, `--ready-file FILE` tells a program the address"
                raise Failure(f"`{record.id}` was ended: nobody reads its address", hint=hint) from error
            raise
        finally:
            if server.process.poll() is not None:
                server.close(asked=asked is not None or (not was_ready and server.was_stopped))
                ready_files.remove(record.path, pid=server.process.pid)
                if not was_announced and is_first:
                    _forget(record, choices)
    code = _how_it_ended(server, record.id, asked)
    tidy.forget_stopped(record)
    return code


def _forget(record: Record, choices: Choices) -> None:
    """A start that never became ready, or could not be announced, leaves its log, and nothing that looks like a server.
    (A restart that fails keeps its record: it is what to try again with.)
    """
    if choices.own_state:
        tidy.forget(record)
    else:
        records.forget(record)


def _remove_state(record: Record) -> None:
    assert record.state_dir
    with suppress(OSError):
        remove_tree(Path(record.state_dir))


def _wait_until_ready(
    server: ManagedServer, record: Record, signals: Signals, timeout_s: float | None, goals: Sequence[Goal]
) -> int | None:
    """Returns the signal that asked to end meanwhile, or None when it is ready, and everything else that is wanted.
    Raises Failure when it will not be.
    """
    if not console.can_draw():
        console.say(f"starting `{record.id}`")
    facts = {"id": record.id, "log_file": record.log_file}
    began = time.monotonic()
    awaited = Awaited(name=record.id, record=record)
    with working(f"starting `{record.id}`") as step:
        while not (server.has_ended() or (server.is_settled() and awaited.is_all(goals))):
            for number in signals.wait(0.02):
                return number
            step.detail = awaited.lacks
            limit_s = timeout_s or START_TIMEOUT_S
            if time.monotonic() - began > limit_s:
                server.kill()
                unmet, lacks = awaited.unmet or READY.unmet, f": {awaited.lacks}" if awaited.lacks else ""
                raise Failure(
                    f"`{record.id}` {unmet} after {words.duration(limit_s)}{lacks}{_last_words(server)}",
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
        why = f"{why.rstrip('.')}{_last_words(server, beyond=why)}"
    ended = server.record()
    hint = (ended.hint if ended is not None else None) or _way_out(code, record)
    raise Failure(f"`{record.id}` did not start: {why}", hint=hint, code=code, facts=facts)


def _stay(server: ManagedServer, server_id: str, signals: Signals, asked: int | None) -> int | None:
    """Stay until the server has ended. The first signal drains it, the second ends it. Returns the first, or None."""
    kill_at: float | None = None
    said: str | None = None
    say_at = time.monotonic() + SAY_AFTER_S
    if asked is not None:
        server.ask_to_end()
    while server.process.poll() is None:
        for number in signals.wait(None if asked is None else 0.1):
            server.ask_to_end()
            if asked is None:
                asked = number
                say_at = time.monotonic() + SAY_AFTER_S
                console.say(f"finishing what runs on `{server_id}`; once more (Ctrl-C) ends it now")
            elif kill_at is None:
                kill_at = time.monotonic() + KILL_AFTER_S
                console.say(f"ending `{server_id}` now")
        # An idle server is gone before there is anything to say.
        record = server.record() if asked is not None and time.monotonic() > say_at else None
        if record is not None and record.state == "draining" and record.reason not in (None, said):
            said = record.reason
            console.say(f"waiting: {said}")
        if kill_at is not None and time.monotonic() > kill_at:
            server.kill()
    return asked


def _how_it_ended(server: ManagedServer, server_id: str, asked: int | None) -> int:
    if asked is not None:
        in_order = server.exit_code() == ExitCode.DONE
        console.say(f"`{server_id}` {'has stopped' if in_order else _ENDED_EARLY}")
        return ExitCode.INTERRUPTED if asked == signal.SIGINT else ExitCode.TERMINATED
    if server.process.returncode == ExitCode.INTERRUPTED:
        console.say(f"`{server_id}` {_ENDED_EARLY}")
        return ExitCode.TERMINATED
    code = server.exit_code()
    if code == ExitCode.DONE:
        console.say(f"`{server_id}` has stopped")
        return code
    hint = f"its log: `llama stack logs {server_id}`"
    raise Failure(f"`{server_id}` is gone: {server.why_it_ended()}", hint=hint, code=code)


def _last_words(server: ManagedServer, *, beyond: str = "") -> str:
    """What this start has said that was not shown yet, and is no part of `beyond`."""
    if server.in_front:
        return ""  # its log stands above
    lines = log.last_lines(server.error_file, _LAST_LINES, beyond=beyond)
    lines = lines or log.last_lines(server.log_file, _LAST_LINES, since_byte=server.log_began, beyond=beyond)
    return "".join(["; the last it said:", *(f"\n  {line}" for line in lines)]) if lines else ""


def _way_out(code: int, record: Record) -> str:
    if code == ExitCode.CONFLICT:
        return "take another port with `--port N`, or any free one with `--port 0`"
    if code == ExitCode.CONFIG:
        return f"correct `{record.config}`"
    return f"the whole log: `{record.log_file}`"
