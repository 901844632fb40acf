"""Watch what a server does: requests, errors, times and tokens."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Url, parse_duration
from llama_cli.terminal import console

_LEAST_S, _MOST_S = 0.1, 24 * 3600


def command(
    url: Url = None,
    interval: Annotated[
        float,
        typer.Option(help="How often; 1s unless given.", metavar="DURATION", parser=parse_duration, show_default=False),
    ] = "1s",  # type: ignore[assignment]  # Typer parses the default as it parses what is typed
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after so many; else at Ctrl-C.")] = None,
    json: Json = False,
) -> None:
    """Watch what a server does: of the last minute, requests and tokens a second, what failed, how long it took, and
    what it cost where a price is known.

    Each model with its provider has a line. On a terminal the figures are drawn anew each time; in a pipe, as with
    --json, they are an object a line. A request counts once it has ended; `p50` and `p95` are the times within which
    half and 95% of them did.

    The server needs a provider of `telemetry` in its run config; without one the exit code is 1.

    Examples:
      llama stack top
      llama stack top --interval 2s --count 3 --json
    """
    if interval < _LEAST_S:
        raise Failure.of_option("--interval", f"less than {_LEAST_S:g} s would keep the server busy")
    if interval > _MOST_S:
        raise Failure.of_option("--interval", "it is more than a day")
    from llama_cli.asking.address import address_of
    from llama_cli.tracing import recent
    from llama_cli.tracing.widths import screen

    address = address_of(url)
    is_drawn = console.is_terminal(sys.stdout) and not json
    try:
        drawn = 0
        for now in _each(address, interval, count):
            if is_drawn:
                drawn = _redraw(list(recent.lines(address, now, screen())), drawn)
            else:
                console.event(now)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None  # the way to leave, so nothing went wrong


def _each(address: str, interval_s: float, count: int | None) -> Iterator[dict[str, Any]]:
    """The figures, as often as they are wanted, for as long as somebody reads them."""
    from llama_cli.tracing import recent

    due = time.monotonic()
    told = 0
    while console.is_read():
        yield recent.figures(address)
        told += 1
        if told == count:
            return
        now = time.monotonic()
        due = max(due + interval_s, now)  # a server that takes longer is asked at once
        time.sleep(due - now)


def _redraw(lines: list[str], before: int) -> int:
    """Draw lines in place of those that were drawn before, which took so many of the screen's; returns how many it
    takes. What has no room is left out.
    """
    from rich.cells import cell_len
    from rich.text import Text

    size = console.terminal_size(sys.stdout)
    kept: list[str] = []
    taken = 0
    for line in lines:
        taken += max(1, -(-cell_len(Text.from_ansi(line).plain) // size.columns))  # a longer one goes on in the next
        if taken >= size.lines:
            break
        kept.append(line)
        drawn = taken
    back = f"\x1b[{before}A" if before else ""
    console.write(f"\r{back}" + "".join(f"{line}\x1b[K\n" for line in kept) + "\x1b[J")
    return drawn if kept else 0
