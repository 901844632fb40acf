"""What a server's last hour was like, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_cli.tracing.money import usd

_SECOND_MS = 1000


def line(last_hour: Mapping[str, Any] | None) -> str | None:
    """`120 requests, 1 failed, 95% within 1.2s, 34 tokens read and 9 written, $0.012`; None where nothing is counted.

    last_hour: of a record, which another version may have written.
    """
    if last_hour is None:
        return None
    counts = {name: _count(last_hour, name) for name in ("requests", "errors", "input_tokens", "output_tokens")}
    if not counts["requests"]:
        return "no requests"
    parts = [f"{counts['requests']:,} request{'' if counts['requests'] == 1 else 's'}"]
    if counts["errors"]:
        parts.append(f"{counts['errors']:,} failed")
    if isinstance(p95 := last_hour.get("p95_ms"), int | float) and not isinstance(p95, bool):
        parts.append(f"95% within {p95:.0f}ms" if p95 < _SECOND_MS else f"95% within {p95 / _SECOND_MS:.1f}s")
    if counts["input_tokens"] or counts["output_tokens"]:
        parts.append(f"{counts['input_tokens']:,} tokens read and {counts['output_tokens']:,} written")
    if isinstance(cost := last_hour.get("cost_usd"), int | float) and not isinstance(cost, bool) and cost > 0:
        parts.append(usd(cost))
    return ", ".join(parts)


def _count(last_hour: Mapping[str, Any], name: str) -> int:
    value = last_hour.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
