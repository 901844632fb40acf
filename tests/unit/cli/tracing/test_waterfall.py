"""The waterfall of a trace: its bars, its width, and traces of which parts are missing."""

from __future__ import annotations

import time
from typing import Any

import pytest
from rich.cells import cell_len

from llama_cli.tracing.waterfall import about, lines
from tests.unit.cli.tracing._spans import attempt, call, request, span

RETRIED = [
    request(took_ms=1000),
    call(
        at_ms=10, took_ms=980, input_tokens=1200, cached=1000, output_tokens=5, finish=["stop"], answered="small-2026"
    ),
    attempt("a", at_ms=20, took_ms=100, status=429, error="429"),
    attempt("b", at_ms=500, took_ms=480, status=200, port=8080),
]
ODD = ("many", True, None, -1, 1.5, 1e300, 10**30, ["many"])
"""What an application can tell under any name."""
HARD: dict[str, list[dict[str, Any]]] = {
    "retried": RETRIED,
    "wide characters": [
        request(),
        call(name="chat 模型模型模型模型模型模型模型模型模型模型模型", error="超過限制" * 20),
    ],
    "a long name": [request(), call(name="chat " + "x" * 300, error="y" * 500)],
    "long times": [request(took_ms=5_000_000), call(at_ms=4_000_000, took_ms=0.001)],
    "nothing took time": [request(took_ms=0), call(took_ms=0)],
    "deep": [request(), *(span(str(n), str(n - 1) if n else "root", name=f"level {n}") for n in range(60))],
    "steering": [request(name="GET /\x1b[2Jx\ny\t"), call(error="a\x1b]0;title\x07b\nc")],
    "refused and changed": [
        request(status=404, refused="Model `x`\nis not served", warnings=["`n` has no effect"]),
        call(changed=["`a` was left out"] * 30),
    ],
    "told by an application": [
        *(request(f"r{n}", status=odd, overhead=odd, waited=odd) for n, odd in enumerate(ODD)),
        *(call(f"c{n}", None, first_s=odd, input_tokens=odd, output_tokens=odd) for n, odd in enumerate(ODD)),
        *(call(f"d{n}", None, cached=odd, reasoning=odd, finish=odd, input_tokens=1) for n, odd in enumerate(ODD)),
        *(attempt(f"a{n}", None, port=odd, server=odd) for n, odd in enumerate(ODD)),
    ],
    "outside of the request": [request(took_ms=10), call(at_ms=50, took_ms=100)],
}


def drawn(spans: list[dict[str, Any]], width: int = 79) -> list[str]:
    return list(lines(spans, width))


def test_a_waterfall_as_it_is() -> None:
    assert drawn(RETRIED) == [
        "                           0                                     1.00 s",
        "POST /v1/chat/completions  ████████████████████████████████████████████  1.00 s",
        "  status 200; to the first byte 0.5 ms of its own, 90.0 ms upstream",
        "  chat small               ████████████████████████████████████████████  980 ms",
        "    by vendor; answered by small-2026; 1,200 tokens in (1,000 cached), 5 out;",
        "    ended with stop",
        "    POST api.example       █████                                         100 ms",
        "      status 429",
        "    POST api.example:8080                        █████████████████████   480 ms",
        "      status 200",
    ]


def test_a_call_says_what_it_cost_and_not_by_which_rates() -> None:
    said = drawn([request(), call(input_tokens=12, output_tokens=5, cost=0.00123, rate_input=1.0, price_source="a")])
    assert said[-1].strip() == "by vendor; 12 tokens in, 5 out; cost $0.00123"


@pytest.mark.parametrize("width", [20, 40, 60, 79, 200])
@pytest.mark.parametrize("spans", HARD.values(), ids=HARD)
def test_it_fits_whatever_there_is_to_show(spans: list[dict[str, Any]], width: int) -> None:
    shown = drawn(spans, width)
    assert max(map(cell_len, shown)) <= max(width, 34), "a least name, bar and time"
    assert not any(set(line) & set("\x1b\n\t\x07") for line in shown)
    bars = [line for line in shown if set(line) & set("█▏")]
    assert len(bars) == len(spans), "each has a bar"


def test_the_light_part_of_a_bar_is_the_time_to_the_first_piece() -> None:
    [_, _, _, bar, said] = drawn([request(), call(first_s=0.05, output_tokens=11, stream=True)], 69)
    assert bar.split()[2] == "░" * 17 + "█" * 17
    assert said == "    by vendor; 11 tokens out; first after 50.0 ms; 200.0 tokens/s"


def test_what_is_not_kept_is_told_as_such() -> None:
    """A stream that goes on: its request has not ended, and what it has led to has."""
    lost = drawn([call("one", "gone"), attempt("two", "one"), call("three", "gone")])
    assert [line.rstrip() for line in lost if "(not kept)" in line] == ["(not kept)"]
    names = [line[: line.index("  ", 4)] for line in lost[1:] if set(line) & set("█▏")]
    assert [len(name) - len(name.lstrip()) for name in names] == [2, 4, 2]


def test_the_span_of_a_caller_is_none_of_ours() -> None:
    assert not any("(not kept)" in line for line in drawn([request(parent="elsewhere"), call()]))


def test_what_an_application_tells_under_our_names_is_told_where_it_makes_sense() -> None:
    odd = call(first_s="soon", input_tokens="lots", output_tokens=True, finish="stop")
    assert about(odd) == ["by vendor"]
    assert about(call(first_s=1e300, output_tokens=2))[1:] == ["2 tokens out", "first after 100 ms"]


def test_spans_in_a_circle_are_shown_all_the_same() -> None:
    assert sum("█" in line for line in drawn([request(), span("a", "b"), span("b", "a")])) == 3


def test_a_thousand_spans_take_no_second() -> None:
    spans = [request(took_ms=10_000)]
    spans += [call(str(n), at_ms=n * 10, took_ms=10, output_tokens=n) for n in range(999)]
    began = time.perf_counter()
    shown = drawn(spans)
    assert time.perf_counter() - began < 1
    assert sum("█" in line or "▏" in line for line in shown) == 1000


def test_a_failure_is_told_in_words_too() -> None:
    shown = drawn([request(status=502), call(error="`vendor` does not answer"), attempt("a", error="ConnectError")])
    assert "    by vendor; failed: `vendor` does not answer" in shown
    assert "      failed: ConnectError" in shown
