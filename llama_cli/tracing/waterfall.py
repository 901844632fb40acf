"""A trace as a waterfall: what a request led to, line by line, and when each thing happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llama_cli.terminal import console
from llama_cli.tracing.money import cost_of, usd
from llama_cli.tracing.spans import (
    Span,
    began,
    beside,
    ended,
    fact,
    failed,
    first_s,
    is_attempt,
    is_request,
    listed,
    number,
    place,
    tokens,
    tokens_per_s,
    took_s,
)
from llama_cli.tracing.times import took
from llama_cli.tracing.tree import Placed, placed
from llama_cli.tracing.widths import filled, wrapped
from runtime.stdio import one_line
from runtime.telemetry import conventions as names

NOT_KEPT = "(not kept)"
_LEAST_BAR, _LONGEST_BAR = 8, 60
_LEAST_NAME, _LONGEST_NAME = 12, 44
_GAP = 2
_WAITED, _BUSY, _SHORT = "░", "█", "▏"


def lines(spans: Sequence[Span], width: int) -> Iterator[str]:
    """For a terminal so wide, with styles where it has colour: a scale, then each span with its bar and what it took,
    and below that, what else there is to say of it. The light part of a bar is the time to the first piece of a stream.
    """
    from rich.cells import cell_len

    rows = placed(spans)
    start = min(map(began, spans))
    whole_s = max(max(map(ended, spans)) - start, 1e-6)
    longest = max(cell_len(_indented(row, label(row.span))) for row in rows)
    for_times = max(len(took(whole_s)), *(len(_time(row)) for row in rows))
    room = max(width - for_times - 2 * _GAP, _LEAST_NAME + _LEAST_BAR)
    for_names = max(_LEAST_NAME, min(longest, _LONGEST_NAME, room // 2, room - _LEAST_BAR))
    for_bars = min(_LONGEST_BAR, room - for_names)
    gap = " " * _GAP
    yield f"{'':{for_names}}{gap}{_scale(whole_s, for_bars)}"
    for row in rows:
        name = filled(_indented(row, label(row.span)), for_names)
        bar = "" if row.span is None else _bar(row.span, start, whole_s, for_bars)
        style = "error" if row.span is not None and failed(row.span) else "hint"
        blanks = " " * (for_bars - len(bar))
        time = _time(row)
        yield f"{name}{gap}{_styled(bar, style)}{blanks}{gap}{time:>{for_times}}".rstrip()
        if row.span is not None and (said := about(row.span)):
            indent = min(2 * row.depth + 2, width // 2)
            yield from (
                f"{' ' * indent}{_styled(part, 'detail')}"
                for part in wrapped(one_line("; ".join(said)), width - indent)
            )


def label(span: Span | None) -> str:
    """Its name, and of an attempt, where it went."""
    if span is None:
        return NOT_KEPT
    name = str(span["name"])
    return one_line(f"{name} {place(span)}" if is_attempt(span) and not is_request(span) else name)


def about(span: Span) -> list[str]:
    """What else there is to say of a span, each in a few words."""
    status, provider = fact(span, names.STATUS), fact(span, names.PROVIDER_ID)
    said = [] if status is None else [f"status {status}"]
    if provider is not None:
        said.append(f"by {provider}")
    if refused := fact(span, names.ERROR_MESSAGE) or fact(span, names.ERROR_CODE):
        said.append(f"refused: {refused}")
    if span["status"] == "error" and span["message"] != str(status):
        said.append(f"failed: {span['message'] or 'it does not say why'}")
    ours, waited = number(span, names.OVERHEAD_MS), number(span, names.WAITED_MS)
    if ours is not None and waited is not None:
        said.append(f"to the first byte {ours:,} ms of its own, {waited:,} ms upstream")
    asked, answered = fact(span, names.REQUEST_MODEL), fact(span, names.RESPONSE_MODEL)
    if answered is not None and answered != asked:
        said.append(f"answered by {answered}")
    if (asked_for := fact(span, names.ASKED_FOR)) not in (None, asked, f"{provider}/{asked}"):
        said.append(f"asked for as {asked_for}")
    if counted := tokens(span):
        said.append(counted)
    if (amount := cost_of([span])) is not None:
        said.append(f"cost {usd(amount)}")
    if (first := first_s(span)) is not None:
        said.append(f"first after {took(first)}")
    if (speed := tokens_per_s(span)) is not None:
        said.append(f"{speed:.1f} tokens/s")
    if isinstance(reasons := fact(span, names.FINISH_REASONS), list) and reasons:
        said.append(f"ended with {', '.join(dict.fromkeys(map(str, reasons)))}")
    said += [f"chosen: {one}" for one in listed(span, names.CHOSEN)]
    said += [f"changed: {one}" for one in listed(span, names.CHANGED)]
    said += [f"warned: {one}" for one in listed(span, names.WARNINGS)]
    return [" ".join(one.split()) for one in [*said, *beside(span)]]


def _indented(row: Placed, label: str) -> str:
    """Deeper than a name column can show is as deep as it can."""
    return f"{'  ' * min(row.depth, _LONGEST_NAME // 4)}{label}"


def _time(row: Placed) -> str:
    return "" if row.span is None else took(took_s(row.span))


def _scale(whole_s: float, width: int) -> str:
    """`0` at the left end, and how long all of it took at the right one."""
    end = took(whole_s)
    return f"0{end:>{width - 1}}" if len(end) < width - 1 else "0"


def _bar(span: Span, start: float, whole_s: float, width: int) -> str:
    """At least one character, and none outside of the column."""
    exact_s, exact = took_s(span), width / whole_s
    begins = min(max(0, int((began(span) - start) * exact)), width - 1)
    ends = min(max(begins + 1, round((ended(span) - start) * exact)), width)
    length = ends - begins
    if length == 1:
        return " " * begins + (_SHORT if exact_s * exact < 0.5 else _BUSY)
    waited = min(round((first_s(span) or 0.0) * exact), length - 1)
    return " " * begins + _WAITED * waited + _BUSY * (length - waited)


def _styled(text: str, style: str) -> str:
    """The blanks before it stay plain."""
    bare = text.lstrip(" ")
    return " " * (len(text) - len(bare)) + (console.heading(bare, style) if bare else "")
