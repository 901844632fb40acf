"""The last hour of a server in one line."""

from __future__ import annotations

from typing import Any

import pytest

from llama_cli.servers import busyness

HOUR = {"requests": 1200, "errors": 1, "p95_ms": 1234.5, "input_tokens": 34000, "output_tokens": 900}


@pytest.mark.parametrize(
    ("last_hour", "line"),
    [
        (None, None),
        ({}, "no requests"),
        ({"requests": 0}, "no requests"),
        (HOUR, "1,200 requests, 1 failed, 95% within 1.2s, 34,000 tokens read and 900 written"),
        (
            HOUR | {"cost_usd": 0.01234},
            "1,200 requests, 1 failed, 95% within 1.2s, 34,000 tokens read and 900 written, $0.0123",
        ),
        ({"requests": 1, "cost_usd": 0.0}, "1 request"),
        ({"requests": 1, "cost_usd": True}, "1 request"),
        ({"requests": 1, "errors": 0, "p95_ms": 12.3}, "1 request, 95% within 12ms"),
        ({"requests": 2, "p95_ms": "x", "errors": None, "input_tokens": True}, "2 requests"),
    ],
)
def test_the_last_hour_is_one_line_whatever_a_record_says(last_hour: dict[str, Any] | None, line: str | None) -> None:
    assert busyness.line(last_hour) == line
