"""What `run` and `restart` share: build if needed, start the server, say when it is ready, stay with it or let it go.

Knows the words around a server's life and what goes into its record. Knows no Typer, and leaves processes to
`process.py`.
"""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import sys
import textwrap
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cli import console
from llama_cli.console import ExitCode, Failure
from llama_cli.servers import ask, log, prepare, records
from llama_cli.servers.choices import Choices
from llama_cli.servers.prepare import Wanted
from llama_cli.servers.process import KILL_AFTER_S, TELL_AFTER_S, Launch, Server, Signals
from llama_cli.servers.records import AlreadyRunning, Record
from llama_cli.servers.second_run import check_same, environment_digest, turned_on_here, until_ready
from runtime.config.home import has_environment

if TYPE_CHECKING:
    from runtime.config.run_config import RunConfig
    from runtime.config.user_file import UserFile

START_TIMEOUT_S = 300.0
_PROGRESS_EVERY_S = 5.0
_LAST_LINES = 10
_HEALTH_LIMIT_S = 3.0
_SHOWN_MODELS = 20


@dataclass(frozen=True, kw_only=True)
class Again:
    """The server that a restart replaces: it keeps its id, its state folder and its port."""

    server_id: str
    state_dir: str
    port: int | None


def serve(
    choices: Choices,
    environment: Mapping[str, str],
    *,
    timeout_s: float | None = None,
    ready_file: UserFile | None = None,
    again: Again | None = None,
    config: str | None = None,
) -> int:
    """Start a server and return the exit code that the command ends with: in front when the server has ended, detached
    when it is ready.

    timeout_s: what the user allows for becoming ready. ready_file: receives the ready document. config: the text behind
    `choices.target`, where that cannot be read again. Raises Failure where it does not start.
    """
    wanted = Wanted(
        target=choices.target,
        text=config,
        providers=choices.providers,
        offline=choices.offline,
        state=choices.state,
        beside=choices.own_state or again is not None,
        quiet=console.settings.quiet or console.settings.json,
    )
    built = prepare.prepare(wanted, environment)
    if config is not None:  # it can be started again from the copy
        choices = replace(choices, target=built.run_yaml)
    folder = Path(built.folder)

    def facts(server_id: str) -> dict[str, Any]:
        state_dir = folder / "instances" / server_id if choices.own_state else Path(choices.state or built.state_dir)
        return {
            "config": built.run_yaml,
            "state_dir": again.state_dir if again else str(state_dir),
            "log_file": str(folder / "logs" / f"{server_id}.log"),
            # The server keeps `options` as they are and writes the rest itself.
            "options": {
                **asdict(choices),
                "python": built.python,
                "environment_digest": environment_digest(choices.environment_names, environment),
            },
        }

    record = records.reserve(built.name, facts, beside=choices.own_state, only=again.server_id if again else None)
    assert record.state_dir and record.log_file
    if choices.own_state and again is None:
        # What an earlier server of this id left there is not this one's state.
        shutil.rmtree(record.state_dir, ignore_errors=True)
    launch = Launch(
        python=built.python,
        run_yaml=built.run_yaml,
        state_dir=record.state_dir,
        log_file=record.log_file,
        host=choices.host,
        port=again.port if again else choices.port,
        log_level=choices.log_level,
        models=choices.models,
        aliases=choices.aliases,
        require=choices.require,
        require_gpu=choices.require_gpu,
    )
    if ready_file is not None:
        ready_file.clear()
    with Signals() as signals:
        try:
            server = Server(launch, record, environment, in_front=not choices.detach)
        except BaseException as error:
            records.rewrite(record, state="failed", reason=f"it could not be started: {error}")
            if again is None:
                _forget(record, choices)
            raise
        asked: int | None = None
        was_ready = was_told = False
        try:
            asked = _wait_until_ready(server, record, signals, timeout_s)
            if asked is None:
                ready = server.record()
                if ready is None:
                    raise Failure(
                        f"the record of `{record.id}` is gone", hint="was `servers/` in the Llama home emptied?"
                    )
                was_ready = True
                _tell_ready(ready, ready_file, detached=choices.detach)
                was_told = True
                if choices.detach:
                    return ExitCode.DONE
            asked = _stay(server, record.id, signals, asked)
        except BaseException as error:
            # A reader that leaves ends a command in good order, so what it has started stays.
            if not (was_ready and choices.detach and isinstance(error, BrokenPipeError)):
                server.kill()
                if was_ready and not was_told:  # it has not crashed
                    records.rewrite(record, state="failed", reason=f"it was ended, since nobody could be told: {error}")
            raise
        finally:
            if server.process.poll() is not None:
                server.close(asked=asked is not None)
                if not was_told and again is None:
                    _forget(record, choices)
    return _how_it_ended(server, record.id, asked)


def _forget(record: Record, choices: Choices) -> None:
    """A start that never became ready, or of which nobody could be told, leaves its log, and nothing that looks like a
    server. (A restart that fails keeps its record: it is what to try again with.)
    """
    records.forget(record)
    if choices.own_state and record.state_dir:
        shutil.rmtree(record.state_dir, ignore_errors=True)


def dry_run(choices: Choices, environment: Mapping[str, str], *, config: str | None = None) -> dict[str, Any]:
    """What `serve` would do, without building or starting anything. config: as for `serve`.

    Raises NotFound, and ConfigInvalid for a file or a choice that cannot be run.
    """
    from llama_cli.packages.build import run_config_of
    from llama_cli.packages.run_yaml import will_hold
    from llama_cli.packages.source import Choice, locate

    choice = Choice(target=choices.target, text=config, providers=choices.providers)
    source = locate(choice, environment)
    run = run_config_of(source, will_hold(source), environment, to_run=True)
    check_choices(choices, run, file=str(source.run_yaml))
    return {
        "name": source.name,
        "run_yaml": str(source.run_yaml),
        "folder": str(source.folder),
        "is_built": has_environment(source.folder),
        "running": [record.id for record in records.alive_records() if record.name == source.name],
        "options": asdict(choices),
    }


def check_choices(choices: Choices, run: RunConfig, *, file: str) -> None:
    """What the server will refuse, as far as it can be known without it. Raises ConfigInvalid."""
    from runtime.config.choices import with_own_models
    from runtime.config.exposure import check_exposure
    from runtime.stack.plan import check_required, plan

    if choices.models or choices.require_gpu:
        run, _ = with_own_models(run, choices.models, require_gpu=choices.require_gpu)
    check_required(choices.require, plan(run, file=file))
    check_exposure(choices.host, run.server)


def _wait_until_ready(server: Server, record: Record, signals: Signals, timeout_s: float | None) -> int | None:
    """Returns the signal that asked to end meanwhile, or None when it is ready. Raises Failure when it will not be."""
    console.say(f"starting `{record.id}`")
    began = time.monotonic()
    next_word = began + _PROGRESS_EVERY_S
    while not server.is_settled():
        for number in signals.wait(0.02):
            return number
        now = time.monotonic()
        if now - began > (timeout_s or START_TIMEOUT_S):
            server.kill()
            raise Failure(
                f"`{record.id}` was not ready after {console.duration(now - began)}{_last_words(server)}",
                hint=f"the whole log: `{record.log_file}`",
                code=ExitCode.TIMEOUT if timeout_s else ExitCode.UNHEALTHY,
                facts={"id": record.id, "log_file": record.log_file},
            )
        if now > next_word:
            console.say(f"still starting `{record.id}` ({console.duration(now - began)})")
            next_word += _PROGRESS_EVERY_S
    if server.process.poll() is None:
        return None
    code = server.exit_code() or ExitCode.UNHEALTHY
    why = server.why_it_ended()
    ended = server.record()
    raise Failure(
        f"`{record.id}` did not start: {why}"
        if code != ExitCode.UNHEALTHY
        else f"`{record.id}` did not start: {why.rstrip('.')}{_last_words(server, beyond=why)}",
        hint=(ended.hint if ended is not None else None) or _way_out(code, record),
        code=code,
        facts={"id": record.id, "log_file": record.log_file},
    )


def _stay(server: Server, server_id: str, signals: Signals, asked: int | None) -> int | None:
    """Stay until the server has ended. The first signal drains it, the second ends it. Returns the first, or None."""
    kill_at: float | None = None
    told: str | None = None
    tell_at = time.monotonic() + TELL_AFTER_S
    if asked is not None:
        server.ask_to_end()
    while server.process.poll() is None:
        for _number in signals.wait(None if asked is None else 0.1):
            server.ask_to_end()
            if asked is None:
                asked = _number
                tell_at = time.monotonic() + TELL_AFTER_S
                console.say(f"finishing what runs on `{server_id}`; once more (Ctrl-C) ends it now")
            elif kill_at is None:
                kill_at = time.monotonic() + KILL_AFTER_S
                console.say(f"ending `{server_id}` now")
        # An idle server is gone before there is anything to say.
        record = server.record() if asked is not None and time.monotonic() > tell_at else None
        if record is not None and record.state == "draining" and record.reason not in (None, told):
            told = record.reason
            console.say(f"waiting: {told}")
        if kill_at is not None and time.monotonic() > kill_at:
            server.kill()
    return asked


def _how_it_ended(server: Server, server_id: str, asked: int | None) -> int:
    if asked == signal.SIGINT:
        return ExitCode.INTERRUPTED
    if asked is not None:
        return ExitCode.TERMINATED
    if server.process.returncode == ExitCode.INTERRUPTED:
        console.say(f"`{server_id}` was ended before all its requests had finished")
        return ExitCode.TERMINATED
    code = server.exit_code()
    if code == ExitCode.DONE:
        console.say(f"`{server_id}` was stopped")
        return code
    raise Failure(
        f"`{server_id}` is gone: {server.why_it_ended()}", hint=f"its log: `llama stack logs {server_id}`", code=code
    )


def describe_running(
    running: AlreadyRunning,
    choices: Choices,
    environment: Mapping[str, str],
    ready_file: UserFile | None,
    *,
    timeout_s: float | None = None,
    config: str | None = None,
) -> None:
    """Say of a server that runs already what would be said had it been started now, detached. config: as for `serve`.

    Raises Failure (CONFLICT) where it was started with other options, and where it does not become ready.
    """
    check_same(choices, environment, running, config=config)
    record = until_ready(running.record, timeout_s=timeout_s or START_TIMEOUT_S)
    console.say(f"`{record.id}` is already running")
    for variable, provider in turned_on_here(environment, record):
        console.warn(
            f"`{variable}`, which turns on {provider}, is set here and was not when `{record.id}` was started:"
            f" `llama stack restart {record.id}` takes it in"
        )
    _tell_ready(record, ready_file, detached=True)


def _tell_ready(record: Record, ready_file: UserFile | None, *, detached: bool) -> None:
    """Say that a server answers and what can be done with it: to a person, as JSON, or in a file."""
    down = _down(record)  # first: asked how they are, remote providers are also asked what they serve
    models = _models(record)
    record = records.read(record.path) or record  # by now it may have come up, or failed to
    facts = {
        "id": record.id,
        "name": record.name,
        "state": record.state,
        "reason": record.reason,
        "degraded": record.degraded,
        "settled": record.settled,
        "loading": record.loading,
        "load_timeout_s": record.load_timeout_s,
        "url": record.url,
        "host": record.host,
        "port": record.port,
        "pid": record.pid,
        "openai_base_url": f"{record.url}/v1",
        "models": list(models),
        "off": record.off,
        "down": down,
        "log_file": record.log_file,
    }
    if ready_file is not None:
        _write_ready(ready_file, json.dumps(facts, indent=2) + "\n", record.id)
    has_stdout = ready_file is not None and ready_file.is_stdout  # which then is for that document alone
    if console.settings.json:
        if not has_stdout:
            console.document(facts)
        return
    if not has_stdout and (console.settings.quiet or not console.is_terminal(sys.stdout)):
        console.row(record.id, record.url)
    console.say(console.styled("ready", "green", "bold"), ": ", ready_block(record, models, down, detached=detached))


def _write_ready(ready_file: UserFile, text: str, server_id: str) -> None:
    try:
        is_read = ready_file.write(text)
    except OSError as error:
        code = ExitCode.ACCESS if isinstance(error, PermissionError) else ExitCode.FAILED
        raise Failure(f"cannot write to {ready_file.name}: {error.strerror}", code=code) from error
    if not is_read:
        console.warn(f"nobody reads {ready_file.name}, so it was not told that `{server_id}` is ready")


def ready_block(record: Record, models: Mapping[str, str], down: Mapping[str, str], *, detached: bool) -> str:
    """What a user wants to know the moment a server answers, as text. models: their types by name. down: reasons by
    provider id.
    """
    url = record.url or ""
    rows = [("models", console.some(list(models), _SHOWN_MODELS) or _none_yet(record, down))]
    if record.loading:
        bound = f", up to {record.load_timeout_s:.0f} s" if record.load_timeout_s else ""
        rows.append(("loading", f"{', '.join(record.loading)}: a request that comes now waits for its model{bound}"))
    elif models and not record.settled:
        rows.append(("", "(providers are still starting: there may be more models in a moment)"))
    # Providers and their reasons one below the other: each is to be mended on its own.
    ailing = [f"{provider_id}: {why}" for provider_id, why in record.degraded.items()]
    if record.state == "degraded" and not ailing:
        ailing = [record.reason or f"see `llama stack status {record.id}`"]
    rows += [("degraded" if number == 0 else "", text) for number, text in enumerate(ailing)]
    unheard = [f"{provider_id}: {why}" for provider_id, why in down.items()]
    rows += [("down" if number == 0 else "", text) for number, text in enumerate(unheard)]
    if tried := _to_try(models):
        path, body = tried
        curl = f"curl {url}/v1/{path} -H 'content-type: application/json' -d {shlex.quote(json.dumps(body))}"
        rows.append(("try", curl))
    off = [f"{provider['provider_type']}: set {', '.join(provider['variables'])}" for provider in record.off]
    if off:
        rows.append(("off", "; ".join(off)))
    rows.append(("logs", f"llama stack logs -f {record.id}" if detached else str(record.log_file)))
    rows.append(("stop", f"llama stack stop {record.id}" if detached else "Ctrl-C"))
    width = max(60, min(shutil.get_terminal_size((100, 24)).columns, 120))
    lines = [f"`{record.id}` at {url}", ""]
    for label, value in rows:
        # What is meant to be pasted stays on one line.
        wrapped = (
            [value]
            if label == "try"
            else textwrap.wrap(value, width - 11, break_on_hyphens=False, break_long_words=False)
        )
        lines += [f"  {label if number == 0 else '':8} {part}" for number, part in enumerate(wrapped)]
    # As arguments: exported as OPENAI_BASE_URL they would make the next server that is started here a provider of this.
    lines += ["", "any OpenAI client:", f'  OpenAI(base_url="{url}/v1", api_key="none")']
    return "\n".join(lines)


def _none_yet(record: Record, down: Mapping[str, str]) -> str:
    if not record.settled:
        return "none yet: providers are still starting"
    if down or record.state == "degraded":
        return "none while what stands below is not mended"
    return "none yet: set a provider's variable, or register one"


def _to_try(models: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
    """A request that works: where it goes, and its body."""
    for model, kind in models.items():
        if kind == "llm":
            # Bounded: a small model may otherwise go on for thousands of tokens.
            messages = [{"role": "user", "content": "Hello"}]
            return "chat/completions", {"model": model, "messages": messages, "max_completion_tokens": 100}
    for model, kind in models.items():
        if kind == "embedding":
            return "embeddings", {"model": model, "input": "Hello"}
    return None


def _models(record: Record) -> dict[str, str]:
    """The types of what is served, by name."""
    try:
        rows = ask.listed(record.url or "", "/v1/models", by="id", timeout_s=5)
    except Failure:
        # The server is up, whatever this answer was; `status` says what ails it.
        return {}
    return {model["id"]: str(model.get("model_type") or "llm") for model in rows}


def _down(record: Record) -> dict[str, str]:
    """Remote providers that are on and cannot serve now, with the reason; not those that the record tells of."""
    try:
        providers = ask.listed(record.url or "", "/v1/providers", by="provider_id", timeout_s=_HEALTH_LIMIT_S)
        return {
            provider["provider_id"]: str(provider["health"].get("message") or provider["health"]["status"])
            for provider in providers
            if provider["provider_type"].startswith("remote::")
            and provider["health"]["status"] == "Error"
            and provider["health"].get("state") != "starting"
            and provider["provider_id"] not in record.degraded
        }
    except (Failure, KeyError, TypeError, AttributeError):
        # A vendor that lets us wait is no reason to keep the user from a server that is up.
        return {}


def _last_words(server: Server, *, beyond: str = "") -> str:
    """What this start has said that was not seen yet, and is no part of `beyond`."""
    lines: list[str] = []
    if not server.in_front:
        lines = log.last_lines(server.error_file, _LAST_LINES, beyond=beyond)
    elif sys.stderr.isatty():
        return ""  # its log is on the terminal above
    lines = lines or log.last_lines(server.log_file, _LAST_LINES, since_byte=server.log_began, beyond=beyond)
    return "".join(["; the last it said:", *(f"\n  {line}" for line in lines)]) if lines else ""


def _way_out(code: int, record: Record) -> str:
    if code == ExitCode.CONFLICT:
        return "take another port with `--port N`, or any free one with `--port 0`"
    if code == ExitCode.CONFIG:
        return f"correct `{record.config}`"
    return f"the whole log: `{record.log_file}`"
