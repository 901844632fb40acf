"""Says that a server answers and what can be done with it: to a person, as JSON, or in a file.

Knows the server's own lists of models and providers, and its record. Starts nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import records
from llama_cli.servers.choices import Choices
from llama_cli.servers.condition import provider_health
from llama_cli.servers.prepare import about
from llama_cli.servers.ready_block import ready_block, ready_line
from llama_cli.servers.records import Record
from llama_cli.servers.served import served_models
from llama_cli.terminal import console

if TYPE_CHECKING:
    from runtime.config.user_file import UserFile

_HEALTH_LIMIT_S = 3.0
_STATED = (
    *("id", "name", "state", "reason", "degraded", "settled", "loading", "load_timeout_s"),
    *("url", "host", "port", "pid", "off", "log_file"),
)
"""What the JSON document takes from the record as it is."""


def announce(record: Record, announced_in: Sequence[UserFile], *, detached: bool) -> None:
    """Say of a server that it is ready. announced_in: receive the document, and are removed when the server ends.

    Raises Failure or OutputLost where that cannot be written.
    """
    said = _said_of(record)
    _write_all(said, announced_in)
    has_stdout = any(file.is_stdout for file in announced_in)  # which then is for that document alone
    if console.settings.json:
        if not has_stdout:
            console.document(said.facts)
        return
    if not has_stdout and (console.settings.quiet or not console.is_terminal(sys.stdout)):
        console.row(record.id, record.url)
    if console.can_draw():
        is_alone = all(other.id == record.id for other in records.alive_records())
        block = ready_block(said.record, said.models, said.down, detached=detached, is_alone=is_alone)
        console.say(block, label="ready")
    else:
        console.say(ready_line(said.record, said.models, said.down), label="ready")


def announce_in_files(record: Record, announced_in: Sequence[UserFile]) -> None:
    """The same to programs alone: nothing is printed."""
    if announced_in:
        said = _said_of(record)
        _write_all(said, announced_in)


class _Said(NamedTuple):
    """What is said of a server that is ready. record: as it is now; facts: the document; models: types by name; down:
    reasons by provider id.
    """

    record: Record
    facts: dict[str, Any]
    models: dict[str, str]
    down: dict[str, str]


def _said_of(record: Record) -> _Said:
    down = _down(record)  # first: asked how they are, remote providers are also asked what they serve
    try:
        models = served_models(record.url or "", timeout_s=5)
    except Failure:
        models = {}  # the server is up, whatever this answer was; `status` says what is wrong with it
    record = records.read(record.path) or record  # it can have come up by now, or failed to
    down = {provider_id: why for provider_id, why in down.items() if provider_id not in record.degraded}
    facts = {name: getattr(record, name) for name in _STATED}
    facts |= {"openai_base_url": f"{record.url}/v1", "models": list(models), "down": down}
    choices = Choices.from_options({"target": record.name, **record.options})
    facts |= about(record.name, choices, run_yaml=record.config, beside=record.id)
    return _Said(record, facts, models, down)


def _write_all(said: _Said, announced_in: Sequence[UserFile]) -> None:
    for file in announced_in:
        _write_ready(file, json.dumps(said.facts, indent=2) + "\n", said.record)


def _write_ready(ready_file: UserFile, text: str, record: Record) -> None:
    from runtime.config import ready_files

    try:
        if ready_file.regular is not None and record.pid is not None:
            ready_files.note(record.path, pid=record.pid, file=ready_file.regular)
        is_read = ready_file.write(text)
    except OSError as error:
        code = ExitCode.ACCESS if isinstance(error, PermissionError) else ExitCode.FAILED
        raise Failure(f"cannot write to {ready_file.name}: {error.strerror}", code=code) from error
    if not is_read:
        console.warn(f"nobody reads {ready_file.name}, so nothing there says that `{record.id}` is ready")


def _down(record: Record) -> dict[str, str]:
    """Remote providers that are on and cannot serve now, with the reason."""
    try:
        providers = provider_health(record.url or "", timeout_s=_HEALTH_LIMIT_S)
    except Failure:
        # A vendor that lets us wait is no reason to keep the user from a server that is up.
        return {}
    return {
        row["provider_id"]: str(row["message"] or row["status"])
        for row in providers
        if row["status"] in ("error", "needs_key") and str(row["provider_type"]).startswith("remote::")
    }
