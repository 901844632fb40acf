"""A server that is there for one command and ends with it, with all that was there for this start.

`exec` has one around a command of the user's and `chat`, `complete` and `embed` around what they ask. It ends when its
pipe to this process closes, so also after `kill -9`; the next command then removes what it has left.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from llama_cli.exits import Failure
from llama_cli.servers import prepare, tidy
from llama_cli.servers.goals import Goal
from llama_cli.servers.process import KILL_AFTER_S, ManagedServer, Signals, server_command
from llama_cli.servers.records import Record
from llama_cli.servers.starting import ready_record, started, wait_until_ready
from llama_cli.terminal.progress import display, working

if TYPE_CHECKING:
    from llama_cli.start_options import Start

SETTLED = Goal(kind="settled")
"""What it has to be, unless something else is wanted: all that it will be able to do, it can do then."""
_DRAIN_S = 5.0
"""How long it can take to end what nobody waits for any more."""


@contextmanager
def temporary(start: Start) -> Iterator[Record]:
    """A server that answers for as long as the block runs.

    Raises Failure where it does not become ready, and where it is the reason why the block has failed; whatever a
    signal raises that comes meanwhile.
    """
    tidy.sweep()
    with ExitStack() as until_the_end:
        with display():
            record = prepare.prepare(start.choices, start.variables, config=start.config)
            words = server_command(record, start.choices.server_options())
            with Signals() as signals:
                server = started(words, record, start.choices, start.variables, in_front=True, shows_log=False)
                until_the_end.callback(_end_now, server, record)
                goals = start.goals or [SETTLED]
                asked = wait_until_ready(server, record, signals, timeout_s=start.timeout_s, goals=goals)
                if asked is None:
                    ready = ready_record(server, record)
                    asked = next(iter(signals.wait(0)), None)
        if asked is not None:
            signal.raise_signal(asked)  # as it would have come without a server
        try:
            yield ready
        except Failure as failure:
            if not server.has_ended():
                raise
            message = f"`{record.id}` has ended meanwhile: {server.why_it_ended()}"
            raise Failure(message, hint=f"its log: `{server.log_file}`", code=failure.code) from failure


def _end_now(server: ManagedServer, record: Record) -> None:
    with working(f"stopping `{record.id}`"), Signals() as signals:
        end(server, record, signals)


def end(server: ManagedServer, record: Record, signals: Signals) -> None:
    """End a server, at once where a signal asks for it again, and all that was there for this start."""
    from runtime.config import ready_files

    server.ask_to_end()
    drained, killed = time.monotonic() + _DRAIN_S, float("inf")
    while not server.has_ended():
        is_hurried = bool(signals.wait(0.05))
        now = time.monotonic()
        if killed == float("inf") and (is_hurried or now > drained):
            server.ask_to_end()
            killed = now + KILL_AFTER_S
        elif now > killed:
            server.kill()
    server.close(asked=True)
    ready_files.remove(record.path, pid=server.process.pid)
    tidy.forget(record)
