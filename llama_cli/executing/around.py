"""A server around a command: started before it, told to it, stopped after it, and nothing left of either.

    prepare ─> start ─> ready ─> command ─> its code
       └──────────┴───────┴─────────┴─> the server ends, its record and its own state go

Knows the order, and what is said of it. Leaves the parts to `servers/` and its siblings.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from llama_cli.executing import server_log
from llama_cli.executing.command import PASSED_ON, KeptCommand
from llama_cli.executing.environment import libraries, variables_of
from llama_cli.executing.recorded import complain, explain, state_of
from llama_cli.executing.server_log import Logs
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import prepare, tidy
from llama_cli.servers.process import ManagedServer, Signals, server_command
from llama_cli.servers.ready import announce_in_files
from llama_cli.servers.starting import ready_record, started, wait_until_ready
from llama_cli.servers.temporary import SETTLED, end
from llama_cli.terminal import console, words
from llama_cli.terminal.progress import display, working
from runtime.clock import utc_now

if TYPE_CHECKING:
    from llama_cli.start_options import Start
    from runtime.config.user_file import UserFile


@dataclass(frozen=True, kw_only=True)
class Execution:
    """program: the path of what `command` names, which is all of its words. time_limit_s: how long it can take. logs:
    when the server's is shown; log_file: gets a copy of it at the end.
    """

    program: str
    command: Sequence[str]
    time_limit_s: float | None = None
    logs: Logs = "failure"
    log_file: UserFile | None = None


def execute(start: Start, execution: Execution) -> int:
    """Run a command with a server of its own. Returns its exit code, or INTERRUPTED or TERMINATED where a signal came
    before it had begun.

    Raises Failure for whatever goes wrong around it.
    """
    since = utc_now()
    tidy.sweep()
    with ExitStack() as until_it_begins:
        until_it_begins.enter_context(display())
        record = prepare.prepare(start.choices, start.variables, config=start.config)
        server_words = server_command(record, start.choices.server_options())
        shows_log = execution.logs == "always"
        code: int | None = None
        with Signals(PASSED_ON) as signals:
            server = started(server_words, record, start.choices, start.variables, in_front=True, shows_log=shows_log)
            try:
                told = libraries()  # while the server starts
                asked = wait_until_ready(
                    server, record, signals, timeout_s=start.timeout_s, goals=start.goals or [SETTLED]
                )
                if asked is None:
                    with working(f"asking `{record.id}`"):
                        ready = ready_record(server, record)
                        announce_in_files(ready, start.announced_in)
                        variables = variables_of(os.environ, ready.url or "", told)
                    asked = next(iter(signals.wait(0)), None)
                if asked is not None:
                    return ExitCode.INTERRUPTED if asked == signal.SIGINT else ExitCode.TERMINATED
                until_it_begins.close()
                if console.is_any_terminal(sys.stderr):
                    console.say(f"`{record.id}` at {ready.url}")
                run = partial(_run, execution, variables, server, record.id, signals, since)
                code = run() if not start.choices.records else _noting(run, execution, ready.url or "", server)
                return code
            finally:
                end(server, record, signals)
                if execution.log_file is not None:
                    _copy_log(server, execution.log_file, since=since, has_succeeded=code == ExitCode.DONE)


def _copy_log(server: ManagedServer, file: UserFile, *, since: datetime, has_succeeded: bool) -> None:
    """Raises Failure where that fails and nothing else has, which would count more."""
    try:
        server_log.copy(server.log_file, file, since=since)
    except Failure as failure:
        if has_succeeded:
            raise
        console.warn(failure.message)


def _noting(run: Callable[[], int], execution: Execution, url: str, server: ManagedServer) -> int:
    """The code of what ran with a stack that records or replays. Raises Failure (EXEC_FAILED) where it has succeeded
    although something was not recorded.
    """
    code = run()
    if server.has_ended():
        return code
    recorded = state_of(url)
    explain(recorded)
    if code != ExitCode.DONE and execution.logs != "never":
        return code  # of what failed, the log has shown it
    failure = complain(recorded)
    if failure is not None and code == ExitCode.DONE:
        failure.code = int(ExitCode.EXEC_FAILED)
        raise failure
    return code


def _run(
    execution: Execution,
    variables: Mapping[str, str],
    server: ManagedServer,
    server_id: str,
    signals: Signals,
    since: datetime,
) -> int:
    name = execution.command[0]
    with KeptCommand(execution.program, execution.command, variables) as kept:
        code = kept.wait(signals, limit_s=execution.time_limit_s)
        gone = server.why_it_ended() if server.has_ended() else None
    if kept.left:
        console.warn(f"of what `{name}` has started, {kept.left} could not be ended")
    if (code or gone) and not kept.was_interrupted and execution.logs == "failure":
        server_log.show_warnings(server, server_id, since=since)
    if kept.is_overdue:
        assert execution.time_limit_s is not None
        message = f"`{name}` was ended: it took longer than {words.duration(execution.time_limit_s)}"
        raise Failure(message, hint="`--time-limit` sets another limit", code=code)
    if gone:
        message = f"`{server_id}` was gone before `{name}` had ended: {gone}"
        if code == ExitCode.DONE:
            raise Failure(message, hint=f"its log: `{server.log_file}`", code=ExitCode.EXEC_FAILED)
        console.warn(message)
    return code
