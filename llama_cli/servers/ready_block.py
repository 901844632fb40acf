"""What a person reads when a server answers: twelve lines of 80 columns at most, and what to type next.

    ready: `starter` at http://127.0.0.1:8321
      models   2: meta-reference/SmolLM2-135M-Instruct and 1 more
      try      llama chat "Hi"
      curl 127.0.0.1:8321/v1/chat/completions -H content-type:application/json \\
        -d '{"model": "meta-reference/SmolLM2-135M-Instruct", "messages":
        [{"role": "user", "content": "Hi"}], "max_completion_tokens": 100}'
      docs     http://127.0.0.1:8321/docs
      logs     llama stack logs -f starter
      stop     Ctrl-C

Knows a record and what the server says it serves. Asks nobody.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence

from llama_cli.servers.records import Record
from llama_cli.terminal import console, words
from llama_cli.terminal.step import cut, width
from llama_cli.terminal.typed import typed

_LINES = 12
_LABEL = 11
_WIDEST = 120


def ready_block(
    record: Record, models: Mapping[str, str], down: Mapping[str, str], *, detached: bool, is_alone: bool = True
) -> str:
    """The lines after `ready: `. models: types by name; down: reasons by provider id; is_alone: no other server runs,
    so that a command needs no name to mean this one.
    """
    columns = max(60, min(console.terminal_size(sys.stderr).columns, _WIDEST))
    room = columns - _LABEL
    status = f"`{typed(f'llama stack status {record.id}')}`"
    head = f"`{record.id}` at {record.url}"
    rows = [] if width(f"ready: {head}") <= columns else [("address", str(record.url))]
    rows.append(("models", _models(record, models, down, room)))
    if faults := _faults(record):
        rows.append(("faults", faults))
    if record.loading:
        bound = f", up to {record.load_timeout_s:.0f} s" if record.load_timeout_s else ""
        meanwhile = f"; requests wait for them{bound}"
        rows.append(("loading", _counted(record.loading, room - width(meanwhile)) + meanwhile))
    elif models and not record.settled:
        rows.append(("", "(providers are still starting: more models can follow)"))
    degraded = record.degraded
    if record.state == "degraded" and not degraded:
        rows.append(("degraded", record.reason or f"see {status}"))
    rows += [(label, _failing(why, status, room)) for label, why in (("degraded", degraded), ("down", down)) if why]
    rows += [("try", typed(_chat(record, is_alone)))] if "llm" in models.values() else []
    after = [
        ("docs", f"{record.url}/docs"),
        ("logs", typed(f"llama stack logs -f {record.id}")),
        ("stop", typed(f"llama stack stop {record.id}") if detached else "Ctrl-C"),
    ]
    curl = _curl(record.url or "", models, columns - 2, most=_LINES - 1 - len(rows) - len(after))
    if record.off and 1 + len(rows) + len(curl) + len(after) < _LINES:
        shown = typed(f"llama stack show {record.name}")
        after.insert(0, ("off", f"{words.counted(len(record.off), 'provider')}, listed by `{shown}`"))
    lines = [f"`{record.id}`" if rows[0][0] == "address" else head]
    lines += [_row(label, text, room) for label, text in rows]
    lines += [f"  {line}" for line in curl]
    return "\n".join([*lines, *(_row(label, text, room) for label, text in after)])


def ready_line(record: Record, models: Mapping[str, str], down: Mapping[str, str]) -> str:
    """The same for a log or another program: one line, with the reason of the only failure, and where all are said."""
    groups = (("loading", record.loading), ("degraded", record.degraded), ("down", down))
    counts = [f"{len(group)} {label}" for label, group in groups if group]
    counts += ["with injected faults"] if _faults(record) else []
    line = ", ".join([f"`{record.id}` at {record.url}", words.counted(len(models), "model"), *counts])
    failing = [f"{name}: {why}" for group in (record.degraded, down) for name, why in group.items()]
    if not failing:
        return line
    reason = f": {' '.join(failing[0].split()).rstrip('.')}" if len(failing) == 1 else ""
    return f"{line}{reason}; see `llama stack status {record.id}`"


def _row(label: str, text: str, room: int) -> str:
    return f"  {label:8} {cut(' '.join(text.split()), room)}"


def _counted(names: Sequence[str], room: int) -> str:
    """As many of them as there is place for, and how many there are: `a and b`, `5: a, b and 3 more`."""
    for most in range(min(len(names), room), 0, -1):
        text = words.some(names, most)
        text = f"{len(names)}: {text}" if len(names) > 1 else text
        if width(text) <= room:
            return text
    head, more = (f"{len(names)}: ", f" and {len(names) - 1} more") if len(names) > 1 else ("", "")
    return f"{head}{cut(names[0], room - width(head + more))}{more}"


def _models(record: Record, models: Mapping[str, str], down: Mapping[str, str], room: int) -> str:
    if models:
        return _counted(list(models), room)
    if not record.settled:
        return "none yet: providers are still starting"
    if down or record.state == "degraded":
        return "none until the providers below are back"
    return "none yet: set a provider's variable, or register one"


def _faults(record: Record) -> str:
    """What goes wrong on purpose; empty for nothing."""
    injected = [str(each) for each in record.options.get("inject") or ()]
    return f"seed {record.options.get('inject_seed') or 0}; {'; '.join(injected)}" if injected else ""


def _failing(reasons: Mapping[str, str], status: str, room: int) -> str:
    """The only one with its reason, several by name and where the reasons are."""
    names = list(reasons)
    if len(names) == 1:
        return f"{names[0]}: {reasons[names[0]]}"
    where = f"; {status} says why"
    return f"{_counted(names, room - width(where))}{where}"


def _chat(record: Record, is_alone: bool) -> str:
    return 'llama chat "Hi"' if is_alone else f'llama chat --url {record.id} "Hi"'


def _curl(url: str, models: Mapping[str, str], columns: int, most: int) -> list[str]:
    """A request that works as it is pasted, in `most` lines; without a model that answers, or where that does not fit,
    the one that lists the models.
    """
    address = f"{url.removeprefix('http://')}/v1/"
    listing = [f"curl {shlex.quote(f'{address}models')}"]
    first = {kind: model for model, kind in reversed(list(models.items()))}
    if model := first.get("llm"):
        # Bounded: a small model can otherwise go on for thousands of tokens. JSON may go on in the next line.
        path = "chat/completions"
        body = f'{{"model": {json.dumps(model)}, "messages":\n'
        body += '  [{"role": "user", "content": "Hi"}], "max_completion_tokens": 100}'
    elif model := first.get("embedding"):
        path, body = "embeddings", f'{{"model": {json.dumps(model)}, "input": "Hello"}}'
    else:
        return listing
    start = f"curl {shlex.quote(address + path)} -H content-type:application/json \\"
    lines = [start, *f"  -d {shlex.quote(body)}".split("\n")]
    return lines if len(lines) <= most and max(map(width, lines)) <= columns else listing
