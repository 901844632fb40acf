"""A second `run --detach` of what runs already: the same again is no failure, anything else is a conflict.

Compares what was asked for now with what the running server was started with. Starts and stops nothing.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import records
from llama_cli.servers.choices import SERVER_OPTIONS, Choices, as_words
from llama_cli.servers.records import AlreadyRunning, Record
from llama_cli.servers.secret_digest import secret_digest
from llama_cli.terminal import words
from llama_cli.terminal.progress import working
from runtime.config.text import shown

_OPTIONS = {**SERVER_OPTIONS, "providers": "--providers"}
"""What a server cannot change while it runs. Its state folder is the same, or it would not be in the way."""
_OF_RESTART = ("host", "port", "log_level", "models", "aliases", "require", "require_gpu", "without")
"""What `restart` changes, by the names of choices."""
_POLL_S = 0.05


def variables_digest(names: Sequence[str], variables: Mapping[str, str], *, salt: str) -> str | None:
    """What a record keeps of the given variables, to compare and not to read; None where there are none."""
    if not names:
        return None
    values = json.dumps({name: variables.get(name) for name in sorted(names)})
    return secret_digest(values, salt=salt)


class _Difference(NamedTuple):
    """line: for people. restart: options of `restart` that bring what is wanted; None where it has none for that."""

    line: str
    restart: list[str] | None = None


def check_same(
    choices: Choices,
    variables: Mapping[str, str],
    running: AlreadyRunning,
    *,
    config: str | None = None,
    env_words: Sequence[str] = (),
) -> None:
    """Raises Failure (CONFLICT) naming what differs from what the running server was started with, and the command that
    applies it.

    config: the text behind `choices.target`, where that was piped in. env_words: how variables were given, as typed.
    """
    record = running.record
    found = [*_options(choices, running, config), *_variables(choices, variables, record, env_words)]
    if not found:
        return
    lines = [difference.line for difference in found]
    beside = "`--port 0`" if choices.state is None else "`--port 0` and another `--state`"
    raise Failure(
        f"{running.message}, and it was started with something else:" + "".join(f"\n  {line}" for line in lines),
        hint=f"`{_that_applies(found, choices, record, env_words)}` applies it; {beside} starts another beside it",
        code=ExitCode.CONFLICT,
        facts={"id": record.id, "url": record.url, "differs": lines},
    )


def _that_applies(found: Sequence[_Difference], choices: Choices, record: Record, env_words: Sequence[str]) -> str:
    words: list[str] = []
    for difference in found:
        if difference.restart is None:
            stop = shlex.join(["llama", "stack", "stop", record.id])
            return f"{stop} && {shlex.join(['llama', 'stack', 'run', *choices.words(), *env_words])}"
        words += difference.restart
    return shlex.join(["llama", "stack", "restart", record.id, *words])


def until_ready(record: Record, *, timeout_s: float) -> Record:
    """The record once its server, which some other command has started, answers. Raises Failure where it does not."""
    with working(f"waiting for `{record.id}`, which is being started elsewhere"):
        return _until_ready(record, timeout_s)


def _until_ready(record: Record, timeout_s: float) -> Record:
    began = time.monotonic()
    hint = f"its log: `{record.log_file}`"
    while record.state not in records.HEALTHY:
        if record.state == records.UNKNOWN:
            hint = f"`llama stack restart {record.id}`"
            raise Failure(f"`{record.id}` runs, and {record.reason}", hint=hint, code=ExitCode.CONFLICT)
        if record.state == "draining":
            hint = "run the command again once it is"
            raise Failure(f"`{record.id}` is being stopped", hint=hint, code=ExitCode.CONFLICT)
        if time.monotonic() - began > timeout_s:
            message = (
                f"`{record.id}`, which is being started elsewhere, was not ready after {words.duration(timeout_s)}"
            )
            raise Failure(message, hint=hint, code=ExitCode.UNHEALTHY)
        time.sleep(_POLL_S)
        now = records.read(record.path)
        if now is None or not now.alive:
            message = f"`{record.id}`, which was being started elsewhere, did not become ready"
            raise Failure(message, hint=hint, code=ExitCode.UNHEALTHY)
        record = now
    return record


def _options(choices: Choices, running: AlreadyRunning, config: str | None) -> list[_Difference]:
    record, found = running.record, list[_Difference]()
    had = record.options
    if config is not None:
        is_same = _holds(record.config, config)
    else:
        is_same = had.get("target") == choices.target or _is_same_file(running.config, record.config)
    if not is_same:
        line = f"run config: {record.config or had.get('target')} there, {shown(choices.target)} here"
        found.append(_Difference(line))
    for name, option in _OPTIONS.items():
        wanted, has = getattr(choices, name), had.get(name)
        if name in ("host", "port") and wanted is not None:
            # Its own can be the run config's; while it is starting it has not said it yet.
            has = getattr(record, name) or has
        if name == "port" and wanted in (None, 0):
            continue  # any would do: who names none wants it to run, and it says where it does
        if _shown(wanted) != _shown(has):
            # `restart` keeps what it is not given, so that it cannot take anything away.
            words = as_words(option, wanted) if name in _OF_RESTART else []
            found.append(_Difference(f"`{option}`: {_shown(has)} there, {_shown(wanted)} here", words or None))
    return found


def _variables(
    choices: Choices, variables: Mapping[str, str], record: Record, env_words: Sequence[str]
) -> list[_Difference]:
    had = [str(name) for name in record.options.get("environment_names") or ()]
    words = list(env_words) or None
    if new := [f"`{name}`" for name in choices.environment_names if name not in had]:
        return [_Difference(f"variables that it was not given: {', '.join(new)}", words)]
    if variables_digest(had, variables, salt=record.launch or "") == record.options.get("environment_digest"):
        return []
    named = ", ".join(f"`{name}`" for name in had)
    return [_Difference(f"variables that are not given here, or have other values: {named}", words)]


def _holds(file: str | None, text: str) -> bool:
    try:
        return file is not None and Path(file).read_text(encoding="utf-8").strip() == text.strip()
    except (OSError, ValueError):
        return False


def _is_same_file(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and Path(one).resolve() == Path(other).resolve()


def _shown(value: Any) -> str:
    """An option's value as it is typed; `none` for what is not given."""
    if value is None or value is False or value in ([], ()):
        return "none"
    if value is True:
        return "given"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
