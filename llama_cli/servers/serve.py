"""What `run` and `restart` share: build if needed, start the server, say when it is ready, stay with it or let it go.

Knows the words around a server's life. Knows no Typer, and leaves processes to `process.py`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import prepare, records, tidy
from llama_cli.servers.choices import Choices
from llama_cli.servers.goals import Goal
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
from llama_cli.servers.records import AlreadyRunning
from llama_cli.servers.second_run import check_same, until_ready
from llama_cli.servers.starting import ready_record, started, wait_until_ready
from llama_cli.servers.waiting import Awaited, wait
from llama_cli.terminal import console
from llama_cli.terminal.progress import working

if TYPE_CHECKING:
    from runtime.config.user_file import UserFile

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
        is_in_front = not choices.detach
        server = started(
            command, record, choices, variables, in_front=is_in_front, shows_log=is_in_front, is_first=is_first
        )
        asked: int | None = None
        was_ready = was_announced = False
        try:
            if not console.can_draw():
                console.say(f"starting `{record.id}`")
            asked = wait_until_ready(server, record, signals, timeout_s=timeout_s, goals=goals)
            if asked is None:
                ready = ready_record(server, record)
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
                    tidy.forget(record)  # a restart that fails keeps it: it is what to try again with
    code = _how_it_ended(server, record.id, asked)
    tidy.forget_stopped(record)
    return code


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
