"""Says that a server answers and what can be done with it: to a person, as JSON, or in a file.

Knows the server's own lists of models and providers, and its record. Starts nothing.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_cli import console
from llama_cli.console import ExitCode, Failure
from llama_cli.servers import ask, records
from llama_cli.servers.choices import Choices
from llama_cli.servers.condition import provider_health
from llama_cli.servers.prepare import about
from llama_cli.servers.records import Record
from llama_cli.servers.remembered import remember_models

if TYPE_CHECKING:
    from runtime.config.user_file import UserFile

_HEALTH_LIMIT_S = 3.0
_SHOWN_MODELS = 20
_SHOWN_OFF = 3
_SHOWN_FAILURES = 5
_STATED = (
    *("id", "name", "state", "reason", "degraded", "settled", "loading", "load_timeout_s"),
    *("url", "host", "port", "pid", "off", "log_file"),
)
"""What the JSON document takes from the record as it is."""


def announce(record: Record, announced_in: Sequence[UserFile], *, detached: bool) -> None:
    """Say of a server that it is ready. announced_in: receive the document, and are removed when the server ends.

    Raises Failure or OutputLost where that cannot be written.
    """
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
    for file in announced_in:
        _write_ready(file, json.dumps(facts, indent=2) + "\n", record)
    has_stdout = any(file.is_stdout for file in announced_in)  # which then is for that document alone
    if console.settings.json:
        if not has_stdout:
            console.document(facts)
        return
    if not has_stdout and (console.settings.quiet or not console.is_terminal(sys.stdout)):
        console.row(record.id, record.url)
    console.say(ready_block(record, models, down, detached=detached), label="ready")


def served_models(url: str, *, timeout_s: float = 10.0) -> dict[str, str]:
    """The types of what a server serves by id, in its order. Raises Failure as `ask.listed` does."""
    kinds = {}
    for model in ask.listed(url, "/v1/models", by="id", timeout_s=timeout_s):
        stated = model.get("custom_metadata")
        older = stated.get("model_type") if isinstance(stated, dict) else None
        kinds[model["id"]] = str(model.get("model_type") or older or "llm")
    remember_models(url, kinds)
    return kinds


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


def ready_block(record: Record, models: Mapping[str, str], down: Mapping[str, str], *, detached: bool) -> str:
    """What a user needs when a server answers, as text. models: types by name. down: reasons by provider id."""
    url = record.url or ""
    rows = [("models", console.some(list(models), _SHOWN_MODELS) or _none_yet(record, down))]
    if record.loading:
        bound = f", up to {record.load_timeout_s:.0f} s" if record.load_timeout_s else ""
        rows.append(("loading", f"{', '.join(record.loading)}: a request that comes now waits for its model{bound}"))
    elif models and not record.settled:
        rows.append(("", "(providers are still starting: more models can follow in a moment)"))
    # Providers and their reasons one below the other, since each is a matter of its own.
    degraded = [f"{provider_id}: {why}" for provider_id, why in record.degraded.items()]
    if record.state == "degraded" and not degraded:
        degraded = [record.reason or f"see `llama stack status {record.id}`"]
    rows += _below("degraded", _first_of(degraded, record))
    rows += _below("down", _first_of([f"{provider_id}: {why}" for provider_id, why in down.items()], record))
    if tried := _to_try(models):
        path, body = tried
        curl = f"curl {url}/v1/{path} -H 'content-type: application/json' -d {shlex.quote(json.dumps(body))}"
        rows.append(("try", curl))
    if record.off:
        off = [_turned_on_by(provider) for provider in record.off]
        more = len(off) - _SHOWN_OFF
        said = [f"and {more} more, which `llama stack show {record.name}` lists"] if more > 0 else []
        rows.append(("off", "; ".join(off[:_SHOWN_OFF] + said)))
    rows.append(("logs", f"llama stack logs -f {record.id}" if detached else str(record.log_file)))
    rows.append(("stop", f"llama stack stop {record.id}" if detached else "Ctrl-C"))
    width = max(60, min(shutil.get_terminal_size((100, 24)).columns, 120)) - 11
    lines = [f"`{record.id}` at {url}", ""]
    for label, value in rows:
        wrapped = textwrap.wrap(value, width, break_on_hyphens=False, break_long_words=False)
        # What is meant to be pasted stays on one line.
        lines += [f"  {label:8} {text}" for label, text in _below(label, [value] if label == "try" else wrapped)]
    # As arguments: exported as OPENAI_BASE_URL they would make the next server that is started here a provider of this.
    lines += ["", "any OpenAI client:", f'  OpenAI(base_url="{url}/v1", api_key="none")']
    return "\n".join(lines)


def _turned_on_by(provider: Mapping[str, Any]) -> str:
    variables = ", ".join(provider["variables"])
    return f"{provider['provider_type']}: set {variables}" if variables else str(provider["provider_type"])


def _first_of(texts: list[str], record: Record) -> list[str]:
    """At most as many as a reader takes in, and where the others are."""
    more = len(texts) - _SHOWN_FAILURES
    said = [f"and {more} more, which `llama stack status {record.id}` lists"] if more > 0 else []
    return texts[:_SHOWN_FAILURES] + said


def _below(label: str, texts: list[str]) -> list[tuple[str, str]]:
    """Rows with the label before the first of them."""
    return [(label if number == 0 else "", text) for number, text in enumerate(texts)]


def _none_yet(record: Record, down: Mapping[str, str]) -> str:
    if not record.settled:
        return "none yet: providers are still starting"
    if down or record.state == "degraded":
        return "none until the providers below are back"
    return "none yet: set a provider's variable, or register one"


def _to_try(models: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
    """A request that works: where it goes, and its body."""
    first = {kind: model for model, kind in reversed(list(models.items()))}
    if model := first.get("llm"):
        # Bounded: a small model can otherwise go on for thousands of tokens.
        messages = [{"role": "user", "content": "Hello"}]
        return "chat/completions", {"model": model, "messages": messages, "max_completion_tokens": 100}
    if model := first.get("embedding"):
        return "embeddings", {"model": model, "input": "Hello"}
    return None


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
