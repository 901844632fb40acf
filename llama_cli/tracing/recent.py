"""The last minute of a server: how many requests it had, how they ended, how fast it was, and by which models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_cli.asking import traces
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console
from llama_cli.terminal.tables import Column, table
from llama_cli.tracing.money import usd
from llama_cli.tracing.times import took
from llama_cli.tracing.widths import cut, wrapped
from runtime.clock import local_now, machine_date
from runtime.telemetry import conventions as names

WINDOW_S = 60
_LONGEST_M = 30
"""How many minutes a request can take that is counted when it ends: the server does not look at older ones."""
_MOST = 200
_FIGURES = """
count(*) AS requests,
count(*) FILTER (coalesce(status, 0) >= 400 OR coalesce(error, 'cancelled') <> 'cancelled') AS failed,
quantile_cont(duration_ms, 0.5) AS p50_ms, quantile_cont(duration_ms, 0.95) AS p95_ms,
quantile_cont(first_ms, 0.5) AS first_p50_ms,
coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS output_tokens,
sum(spent_usd) AS cost_usd
"""
_SQL = f"""
WITH ended AS (
    SELECT *, 1000 * TRY_CAST(attributes->>'$."{names.FIRST_CHUNK_S}"' AS DOUBLE) AS first_ms,
    TRY_CAST(attributes->>'$."{names.COST_USD}"' AS DOUBLE) AS spent_usd FROM spans
    WHERE trace_id IN (SELECT trace_id FROM traces WHERE began >= now() - INTERVAL {_LONGEST_M} MINUTE)
    AND began + to_microseconds((duration_ms * 1000)::BIGINT) >= now() - INTERVAL {WINDOW_S} SECOND
)
SELECT NULL AS provider_id, NULL AS model, {_FIGURES} FROM ended WHERE kind = 'server'
UNION ALL
(SELECT provider_id, model, {_FIGURES} FROM ended WHERE api = 'inference' AND model IS NOT NULL
GROUP BY ALL ORDER BY 3 DESC, 1, 2)
"""  # noqa: S608  # ours
_ASKED = ["provider_id", "model", *re.findall(r" AS (\w+)", _FIGURES)]
"""The columns of an answer."""
Json = dict[str, Any]


def figures(url: str) -> Json:
    """Of what has ended in the last minute. Raises Failure as `traces.queried` does, and for other figures."""
    found = traces.queried(url, _SQL, number=_MOST, is_look=True)
    if found.columns != _ASKED or not found.rows:
        raise Failure(f"{url} answered with figures that are not those that were asked for", code=ExitCode.NETWORK)
    every, *models = (_rates(dict(zip(found.columns, row, strict=True))) for row in found.rows)
    whole = {name: value for name, value in every.items() if name not in ("provider_id", "model", "first_p50_ms")}
    for name in ("input_tokens_per_s", "output_tokens_per_s"):  # of a request itself, none are counted
        whole[name] = round(sum(one[name] for one in models), 3)
    known = [one["cost_usd"] for one in models if one["cost_usd"] is not None]
    whole["cost_usd"] = round(sum(known), 12) if known else None
    return {"ended_at": f"{machine_date():%Y-%m-%dT%H:%M:%SZ}", "window_s": WINDOW_S, **whole, "models": models}


def _rates(row: Json) -> Json:
    asked, answered = row.pop("input_tokens"), row.pop("output_tokens")
    times = {name: None if row[name] is None else round(row[name], 3) for name in ("p50_ms", "p95_ms", "first_p50_ms")}
    cost = None if row["cost_usd"] is None else round(row["cost_usd"], 12)
    return {
        **row,
        **times,
        "cost_usd": cost,
        "requests_per_s": round(row["requests"] / WINDOW_S, 3),
        "input_tokens_per_s": round(asked / WINDOW_S, 3),
        "output_tokens_per_s": round(answered / WINDOW_S, 3),
    }


def lines(url: str, now: Mapping[str, Any], width: int) -> Iterator[str]:
    """For a terminal so wide: all requests, then a table of models, the busiest first."""
    yield console.heading(cut(f"{url}, the last minute until {local_now():%H:%M:%S}", width))
    yield from wrapped(", ".join(_told(now)), width)
    if now["models"]:
        yield from table(now["models"], _COLUMNS).splitlines()
    else:
        yield ""
        yield "no model was asked"


def _told(now: Mapping[str, Any]) -> Iterator[str]:
    yield f"{_rate(now['requests_per_s'])} requests/s"
    yield f"{now['failed']} failed"
    if now["p50_ms"] is not None:
        yield f"half within {_ms(now['p50_ms'])}"
        yield f"95% within {_ms(now['p95_ms'])}"
    yield f"{_rate(now['input_tokens_per_s'])} tokens/s in"
    yield f"{_rate(now['output_tokens_per_s'])} out"
    if now["cost_usd"] is not None:
        yield f"{usd(now['cost_usd'])} in that minute"


def _rate(per_s: float) -> str:
    """Two digits at least."""
    return f"{per_s:,.0f}" if per_s >= 9.95 else f"{per_s:.1f}" if per_s >= 0.095 or not per_s else f"{per_s:.2f}"


def _ms(ms: float) -> str:
    return took(ms / 1000)


_COLUMNS: Sequence[Column] = (
    Column("model", "Model", gives_way=True, readable=16),
    Column("provider_id", "Provider", spare=5),
    Column("requests_per_s", "Req/s", show=_rate),
    Column("failed", "Failed", spare=2),
    Column("p50_ms", "p50", show=_ms, spare=3),
    Column("p95_ms", "p95", show=_ms),
    Column("first_p50_ms", "First p50", show=_ms, spare=6),
    Column("input_tokens_per_s", "In/s", show=_rate, spare=4),
    Column("output_tokens_per_s", "Out/s", show=_rate, spare=1),
    Column("cost_usd", "Cost", show=usd, spare=4),
)
