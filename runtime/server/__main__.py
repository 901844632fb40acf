"""The server process: `python -I -m runtime.server RUN_YAML --state DIR --record FILE`.

Started by `llama stack run`; the two communicate by the arguments and the record. Exit codes: 0 after a drain, 2 an
option that does not match the configuration, 3 an invalid configuration, 5 the port, the state folder or the record is
in use, 7 any other reason that it cannot serve, 130 after a second signal.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import logging
import os
import socket
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from runtime import own_process, ports, stdio
from runtime.config import ready_files
from runtime.errors import ConfigInvalid, Conflict, Problem, RequestError, StackError
from runtime.server.interposing import interposed_of, read_faults, read_session
from runtime.server.log_levels import levels_in, set_levels
from runtime.server.logs import set_up
from runtime.server.masking import Hidden
from runtime.server.memory import start_without_collecting
from runtime.server.record import ServerRecord
from runtime.storage import state_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.config.run_config import RunConfig
    from runtime.server.middleware.request import RequestMiddleware
    from runtime.stack.exporters import Exporters
    from runtime.stack.stack import Stack
    from runtime.telemetry.metrics.of_spans import SpanMetrics

log = logging.getLogger("runtime.server")
_OWNER_ALONE = 0o077
"""The umask: libraries of databases leave the modes of their files to it. It is set once, since it is the same for all
threads, of which others may just be making files.
"""
_EXIT_USAGE, _EXIT_CONFIG, _EXIT_CONFLICT, _EXIT_UNHEALTHY = 2, 3, 5, 7


def main() -> None:
    start_without_collecting()
    own_process.take()
    os.umask(_OWNER_ALONE)
    stdio.open_missing()
    options, hidden = _options(), Hidden()
    try:
        log_file = _place_of(options.log_file) if options.log_file else None
        if options.record_file.exists() and not options.record_file.is_file():
            raise OSError(errno.EINVAL, "it is not a regular file", str(options.record_file))
        record = ServerRecord(options.record_file)
        # In front somebody reads it there: a person, or what collects the lines of a container.
        is_in_front = options.parent_fd is not None or sys.stderr.isatty()
        to_stderr = log_file is None or (is_in_front and not options.log_file_only)
        writer = set_up(options.log_level or "info", file=log_file, stderr=to_stderr, hidden=hidden)
    except Conflict as error:
        stdio.print_error(f"error: {error.message}")
        sys.exit(_EXIT_CONFLICT)
    except OSError as error:
        why = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror
        stdio.print_error(f"error: `{error.filename}` cannot be written: {why}")
        sys.exit(_EXIT_USAGE)
    code = _EXIT_UNHEALTHY
    try:
        _write_start(
            record,
            config=str(options.run_yaml.resolve()),
            state_dir=str(options.state.resolve()),
            log_file=str(log_file) if log_file else None,
        )
        code = _serve(options, record, hidden)
        record.say("stopped", exit_code=code, reason=None)
    except ConfigInvalid as error:
        if (of_options := error.of_options()) is not None:
            code = _failed(record, hidden, options, *of_options, _EXIT_USAGE)
        else:
            code = _failed(record, hidden, options, error.message, error.hint, _EXIT_CONFIG)
    except Conflict as error:
        code = _failed(record, hidden, options, error.message, error.hint, _EXIT_CONFLICT)
    except StackError as error:
        is_setting = error.code == "recording_not_usable"
        code = _failed(
            record, hidden, options, error.message, error.hint, _EXIT_CONFIG if is_setting else _EXIT_UNHEALTHY
        )
    except Exception as error:
        log.exception("the server could not go on")
        code = _failed(record, hidden, options, f"{type(error).__name__}: {error}", None, _EXIT_UNHEALTHY)
    finally:
        ready_files.remove(options.record_file, pid=os.getpid())
        is_written = writer.stop()
    # Everything is closed and written. Without the interpreter's own teardown, in which libraries with threads can hang
    # or crash. The record's lock is released with the process, so a free lock means that the process is gone.
    if is_written:  # else the log may hold standard error, and nobody reads it
        with contextlib.suppress(OSError):
            sys.stderr.flush()
    os._exit(code)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(stdio.printable(message))


def _place_of(file: Path) -> Path:
    """The absolute path; for a regular file without links, since it is rotated. `/dev/stdout` cannot be resolved."""
    return file.resolve() if file.is_file() or not file.exists() else file.absolute()


def _options() -> argparse.Namespace:
    parser = _Parser(prog="python -m runtime.server", description="Serve a Llama Stack run config.")
    parser.add_argument("run_yaml", type=Path, help="the run config")
    parser.add_argument("--state", type=Path, required=True, help="folder for databases and providers' files")
    parser.add_argument("--record-file", type=Path, required=True, help="this server's record, locked while it runs")
    parser.add_argument("--host", help="address to bind; by default the run config's")
    parser.add_argument("--port", type=int, help="port to bind, 0 for a free one; by default the run config's")
    parser.add_argument("--log-file", type=Path, help="JSON lines go here")
    parser.add_argument("--log-file-only", action="store_true", help="log nothing to standard error")
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error", "critical"),
        help="how much is logged; by default what the LLAMA_STACK_LOGGING variable or the run config says, or info",
    )
    parser.add_argument("--parent-fd", type=int, help="end when this file descriptor closes")
    parser.add_argument("--model", action="append", default=[], help="serve this model with the built-in engine")
    parser.add_argument("--alias", action="append", default=[], help="NAME=MODEL: one more name for a model")
    parser.add_argument("--require", action="append", default=[], help="do not serve without this provider")
    parser.add_argument("--without", action="append", default=[], help="leave this provider off")
    parser.add_argument("--record", type=Path, help="keep here what providers are asked and answer")
    parser.add_argument("--replay", type=Path, help="answer from these recordings alone")
    parser.add_argument("--record-if-missing", type=Path, help="answer from these recordings, and keep what they lack")
    parser.add_argument(
        "--timing", choices=("none", "recorded"), default="none", help="how long a recorded answer takes"
    )
    parser.add_argument("--redact", action="append", default=[], help="a pattern of more that is not to be recorded")
    parser.add_argument("--inject", action="append", default=[], help="what goes wrong on purpose")
    parser.add_argument("--inject-seed", type=int, default=0, help="draws which requests that happens to")
    parser.add_argument("--require-gpu", action="store_true", help="do not serve without a GPU")
    parser.add_argument(
        "--drain-timeout", type=float, default=30.0, help="seconds that running requests get to finish at the end"
    )
    return parser.parse_args()


def _serve(options: argparse.Namespace, record: ServerRecord, hidden: Hidden) -> int:
    from runtime.config.choices import with_own_models, with_recordings, without_providers
    from runtime.config.exposure import check_exposure
    from runtime.config.secret_values import secrets_in
    from runtime.stack.plan import check_required, plan, read_run_config

    run = read_run_config(options.run_yaml, os.environ)
    hidden.add(secrets_in(run))  # before anything fails that could quote one
    levels = {**run.logging.category_levels, **levels_in(os.environ)}
    for category in set_levels(levels | ({"all": options.log_level} if options.log_level else {})):
        log.warning("unknown log category", extra={"category": category})
    run = without_providers(run, options.without)
    required = [*options.require]
    if options.model or options.require_gpu:
        run, own = with_own_models(run, options.model, require_gpu=options.require_gpu)
        required += own
    if options.record or options.replay or options.record_if_missing:
        run = with_recordings(run, replayed_in=options.state if options.replay else None)
    planned = plan(run, file=str(options.run_yaml))
    hidden.add(planned.secrets())
    for warning in (*run.warnings, *planned.warnings):
        log.warning(warning)
    check_required(required, planned)
    faults = read_faults(options, planned)
    aliases = _aliases(options.alias)
    host, port = options.host or run.server.host, run.server.port if options.port is None else options.port
    check_exposure(options.host, run.server)
    listening = _listen(host, port)
    address, port = listening.getsockname()[:2]
    scheme = "https" if run.server.tls_certfile else "http"
    _write_start(
        record,
        host=host,
        port=port,
        url=f"{scheme}://{_reached_at(host, address)}:{port}",
        off=[{"provider_type": off.provider_type, "variables": list(off.enabled_by)} for off in planned.off],
    )

    import uvloop

    from runtime.config.home import usable_cache_dir, usable_models_dir
    from runtime.stack.exporters import exporters_of
    from runtime.stack.stack import TELEMETRY, Stack

    is_kept = bool(planned.of(TELEMETRY)) and options.replay is None
    exporters = exporters_of(
        run.telemetry, os.environ, planned.apis.values(), is_kept=is_kept, distribution=run.distro_name, hidden=hidden
    )
    is_fresh = state_folder.is_new(options.state)
    held = state_folder.hold(
        options.state, holder=f"pid {os.getpid()}, whose record is `{options.record_file.absolute()}`"
    )
    interposed = interposed_of(read_session(options, hidden, is_fresh=is_fresh), run, planned, faults)
    stack = Stack(
        planned,
        run,
        interposed=interposed,
        state_dir=options.state,
        cache_dir=usable_cache_dir(),
        models_dir=usable_models_dir(),
        aliases=aliases,
        exporters=exporters.every,
        sampler=exporters.sampler,
        is_alone=held.is_locked,
    )
    if exporters.log_handler is not None:
        logging.getLogger().addHandler(exporters.log_handler)
    # Never closed: that would wait for everything that did not stop in time, and the process ends anyway.
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    try:
        return runner.run(_run(options, run, stack, exporters, required, listening, record, hidden))
    finally:
        if exporters.log_handler is not None:
            exporters.log_handler.close()


async def _run(
    options: argparse.Namespace,
    run: RunConfig,
    stack: Stack,
    exporters: Exporters,
    required: list[str],
    listening: socket.socket,
    record: ServerRecord,
    hidden: Hidden,
) -> int:
    from runtime.config.exposure import addressed_as
    from runtime.server.reporting import report
    from runtime.server.serving import EXIT_INTERRUPTED, Server

    # A test waits for its start, and asks for a part of it; CORS is Litestar's, which is a tenth of that start.
    by_need = options.replay is not None and run.server.cors is None
    try:
        await stack.open(by_need=by_need)
    except RequestError as error:
        if not options.alias:
            raise
        # Only the targets of aliases are looked up while opening, so an alias is wrong.
        hint = (
            error.hint if error.hint and "GET " not in error.hint else "without `--alias` the server lists its models"
        )
        raise ConfigInvalid([Problem(message=error.message, path="--alias", hint=hint)], what="choice") from error
    hosts = addressed_as(run.server, listening.getsockname()[0])
    app = (_app_by_need if by_need else _whole_app)(stack, run, hosts, hidden, exporters.read)
    server = Server(
        app,
        run.server,
        ongoing=app.ongoing,
        drain_timeout_s=options.drain_timeout,
        on_drain=lambda reason: record.say("draining", reason=reason),
    )
    if options.parent_fd is not None:
        asyncio.get_running_loop().add_reader(options.parent_fd, server.end_with_parent, options.parent_fd)
    reporting = asyncio.create_task(report(server, stack, required, record, hidden))
    try:
        async with _metrics_apart(exporters, stack, hidden), exporters.sending_metrics():
            await server.serve(sockets=[listening])
    finally:
        reporting.cancel()
        missing = (await asyncio.gather(reporting, return_exceptions=True))[0]
    if isinstance(missing, Exception):
        raise missing
    if not server.started:
        raise StackError("the application did not start; see the log")
    return EXIT_INTERRUPTED if server.force_exit else 0


def _app_by_need(
    stack: Stack, run: RunConfig, hosts: Sequence[str] | None, hidden: Hidden, metrics: SpanMetrics | None
) -> RequestMiddleware:
    from runtime.server.by_need import app_by_need

    return app_by_need(stack, hosts=hosts, hidden=hidden, metrics=metrics)


def _whole_app(
    stack: Stack, run: RunConfig, hosts: Sequence[str] | None, hidden: Hidden, metrics: SpanMetrics | None
) -> RequestMiddleware:
    from runtime.server.app import make_app

    return make_app(stack, cors=run.server.cors, hosts=hosts, starts_stack=False, hidden=hidden, metrics=metrics)


def _metrics_apart(exporters: Exporters, stack: Stack, hidden: Hidden) -> AbstractAsyncContextManager[None]:
    metrics, wanted = exporters.metrics, exporters.wanted
    if metrics is None or wanted is None or wanted.port is None:
        return contextlib.nullcontext()
    from runtime.server.metrics_port import served_apart

    return served_apart(metrics, wanted, stack, hidden)


def _write_start(record: ServerRecord, **fields: Any) -> None:
    """Write fields to the record. Raises StackError if that fails, since nobody could find this server."""
    if not record.say("starting", **fields):
        raise StackError("the server's record cannot be written; is the disk full?")


def _aliases(given: list[str]) -> dict[str, str]:
    """Raises ConfigInvalid for what is not `NAME=MODEL`, and for one name with two models."""
    problems = []
    aliases: dict[str, str] = {}
    for alias in given:
        name, _, model = alias.partition("=")
        if not (name and model):
            problems.append(Problem(message=f"`{alias}` is not NAME=MODEL", path="--alias"))
        elif aliases.setdefault(name, model) != model:
            problems.append(Problem(message=f"`{name}` is given for `{aliases[name]}` and `{model}`", path="--alias"))
    if problems:
        raise ConfigInvalid(problems, what="choice")
    return aliases


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Conflict, which names the process that has the port."""
    try:
        listening = ports.bound(host, port, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(ports.in_use(host, port), hint=ports.TAKEN_HINT) from error
        raise StackError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    listening.setblocking(False)
    return listening


def _reached_at(host: str, address: str) -> str:
    """The host for a URL on this machine. host: where to listen, as given. address: its IP address; `0.0.0.0` and `::`
    mean all addresses, and clients cannot connect to them.
    """
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # looked up, not bound
    return everywhere.get(address) or (f"[{host}]" if ":" in host else host)


def _failed(
    record: ServerRecord, hidden: Hidden, options: argparse.Namespace, reason: str, hint: str | None, code: int
) -> int:
    reason, hint = hidden.without([reason, hint])
    record.say("failed", reason=reason, hint=hint, exit_code=code)
    if options.parent_fd is None:  # otherwise the command line reads the record and prints it
        stdio.print_error(f"error: {reason}" + (f"\n\nhint: {hint}" if hint else ""))
    return code


if __name__ == "__main__":
    main()
