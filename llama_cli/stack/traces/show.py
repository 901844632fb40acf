"""List the last requests to a server, or show what one of them led to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url, Wide, parse_duration
from llama_cli.terminal import console

if TYPE_CHECKING:
    from llama_cli.asking.traces import Wanted


def command(
    trace: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="A request or a trace, by its id or how that begins; else all are listed."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with each request as it ends.")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="Only those that failed or were refused.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Only those that asked this model.", metavar="MODEL")
    ] = None,
    since: Annotated[
        float | None,
        typer.Option(help="Only the last stretch of time, as in `10m`.", metavar="DURATION", parser=parse_duration),
    ] = None,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", help="The last N; 20 unless given.", min=0, max=1000)
    ] = None,
    url: Url = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """List the last requests to a server, or show what one of them led to.

    The list has the newest at its end. A request that failed was answered with a status of 400 or more, or with a call
    of a provider that failed. With -f and --json, an object a line.

    Of one, each thing that it led to is shown with the time that it took, as a bar, whose light part is the time to
    the first piece of a stream; in a pipe as a row: depth, name, milliseconds after the beginning, milliseconds that it
    took, `ok` or `error`, and what else is known. `llama stack explain` says it in words.

    The server needs a provider of `telemetry` in its run config; without one the exit code is 1.

    Examples:
      llama stack traces -f --errors --since 10m
      llama stack traces req_0f3c1b2a4d5e6f708192a3b4
    """
    if trace is not None:
        if follow or errors or model is not None or since is not None or tail is not None:
            message = "`--follow`, `--errors`, `--model`, `--since` and `--tail` are for the list"
            raise Failure(message, hint="leave them out, or the id", code=ExitCode.USAGE)
        _show(trace, url, json=json, quiet=quiet)
        return
    from datetime import timedelta

    from llama_cli.asking import traces
    from llama_cli.asking.address import address_of
    from llama_cli.tracing import listed
    from runtime.clock import utc_now

    # Nothing that is kept is older than 31 years, and a time can be longer than the calendar.
    begin = None if since is None else utc_now() - timedelta(seconds=min(since, 1e9))
    number = 20 if tail is None else tail
    wanted = traces.Wanted(failed=errors, model=model, since=begin, number=number)
    address = address_of(url)
    if follow:
        _follow(address, wanted, json=json, quiet=quiet, wide=wide)
    else:
        rows = [listed.row_of(one) for one in traces.newest(address, wanted)]
        listed.show(rows, wide=wide)


def _follow(address: str, wanted: Wanted, *, json: bool, quiet: bool, wide: bool) -> None:
    from llama_cli.asking import traces
    from llama_cli.tracing import listed
    from llama_cli.tracing.widths import screen

    try:
        for one in traces.followed(address, wanted, is_read=console.is_read):
            row = listed.row_of(one)
            if json:
                console.event(row)
            elif quiet:
                console.row(listed.id_of(row))
            elif console.is_terminal(sys.stdout) and not wide:
                console.out(listed.line(row, screen()))
            else:
                console.row(*listed.cells(row))
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None  # the way to leave, so nothing went wrong


def _show(id: str, url: str | None, *, json: bool, quiet: bool) -> None:
    from llama_cli.asking import traces
    from llama_cli.asking.address import address_of
    from llama_cli.tracing import shown
    from llama_cli.tracing.tree import meant

    kept = traces.kept(address_of(url), id)
    spans = meant(kept.spans, kept.root)
    if not kept.is_whole:
        console.warn(f"it has more spans than can be shown: these are the first {len(kept.spans):,}")
    if json:
        console.document(shown.document(spans))
    elif quiet:
        for span in spans:
            console.row(span["span_id"])
    elif console.is_terminal(sys.stdout):
        shown.draw(spans)
    else:
        for cells in shown.rows(spans):
            console.row(*cells)
