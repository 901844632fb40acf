"""Traces, a row each: when, what was asked, how it was answered, and what that took."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from llama_cli.terminal import console
from llama_cli.terminal.tables import Column, listing
from llama_cli.tracing.money import usd
from llama_cli.tracing.spans import took_s
from llama_cli.tracing.times import clock, local, took
from llama_cli.tracing.widths import cut
from runtime.stdio import one_line

_OURS = re.compile(r"req_([0-9a-f]{8})[0-9a-f]{16}")
_SHORT = 12
"""Characters of an id on a terminal, where it is none of ours."""


def row_of(trace: Mapping[str, Any]) -> dict[str, Any]:
    """A trace as `--json` has it."""
    return {
        "trace_id": trace["trace_id"],
        "request_id": trace["request_id"],
        "name": trace["name"],
        "began_at": trace["start_time"],
        "duration_s": round(took_s(trace), 6),
        "status": trace["http_status"],
        "model": trace["model"],
        "input_tokens": trace["input_tokens"],
        "output_tokens": trace["output_tokens"],
        "cost_usd": trace.get("cost_usd"),
        "error": trace["message"],
        "span_count": trace["span_count"],
    }


def show(rows: Sequence[Mapping[str, Any]], *, wide: bool) -> None:
    """A table on a terminal, a line each: the beginnings of ids are enough to ask on, and what failed is said in place
    of the model. All of it with `wide`, and in a pipe.
    """
    if console.settings.json:
        listing(rows, (), name="id")
        return
    is_short = console.is_terminal(sys.stdout) and not wide
    shown = [_shown(row) for row in rows]
    listing(shown, _SHORT_COLUMNS if is_short else _COLUMNS, name="id", wide=wide, empty="no requests")


def line(row: Mapping[str, Any], width: int) -> str:
    """One on a terminal, below those that came before, at most so wide."""
    facts = (f"{row['status'] or '':<3}", f"{took(row['duration_s']):>7}", f"{short(id_of(row)):<8}", row["name"])
    text = one_line("  ".join([clock(row["began_at"]), *facts, _outcome(row) or ""]).rstrip())
    return cut(text, width)


def cells(row: Mapping[str, Any]) -> list[str]:
    """The same in a pipe: the columns of the list."""
    shown = _shown(row)
    return [column.cell(shown) for column in _COLUMNS]


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "tokens": _tokens(row), "id": id_of(row), "outcome": _outcome(row)}


def _outcome(row: Mapping[str, Any]) -> str | None:
    """Why it failed, or else the model and its tokens."""
    return row["error"] or ", ".join(filter(None, (row["model"], _tokens(row)))) or None


def _tokens(row: Mapping[str, Any]) -> str | None:
    """`31 in, 10 out`."""
    counts = (("in", row["input_tokens"]), ("out", row["output_tokens"]))
    return ", ".join(f"{count:,} {word}" for word, count in counts if count is not None) or None


def id_of(row: Mapping[str, Any]) -> str:
    return str(row["request_id"] or row["trace_id"])


def short(id: str) -> str:
    """How an id begins: of one of ours, the first of its digits."""
    ours = _OURS.fullmatch(id)
    return ours[1] if ours else id[:_SHORT]


_COLUMNS = (
    Column("began_at", "Began", show=local),
    Column("name", "Request"),
    Column("status", "Status"),
    Column("duration_s", "Took", show=took),
    Column("model", "Model"),
    Column("tokens", "Tokens"),
    Column("cost_usd", "Cost", show=usd),
    Column("id", "Id"),
    Column("error", "Error"),
)
_SHORT_COLUMNS = (
    Column("began_at", "Began", show=clock),
    Column("status", "Status"),
    Column("duration_s", "Took", show=took),
    Column("id", "Id", show=short),
    Column("name", "Request", gives_way=True, spare=1, readable=14),
    Column("cost_usd", "Cost", show=usd, spare=3),
    Column("outcome", "Outcome", gives_way=True, spare=2, readable=14),
)
