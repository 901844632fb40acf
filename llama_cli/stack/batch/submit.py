"""Send a file of requests, one a line, to be answered."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llama_cli.options import DryRun, Json, Quiet, Url, parse_duration
from llama_cli.terminal import console, words


def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The requests, one a line; `-` is stdin.")],
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Which path they ask; that of the first line unless given."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="DURATION", parser=parse_duration, help="With --wait: exit 8 after this; it goes on."),
    ] = None,
    url: Url = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Send a file of requests, one a line, to be answered in the background; with -q print the id of the batch.

    A line is `{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {...}}`. With --wait the exit
    code is 9 where some could not be answered, and 1 where the batch failed, expired or was cancelled.

    Examples:
      llama stack batch submit requests.jsonl --wait
      cat requests.jsonl | llama stack batch submit - -q
    """
    from llama_cli.asking import batches
    from llama_cli.asking.address import address_of
    from llama_cli.exits import ExitCode, Failure

    if timeout is not None and not wait:
        raise Failure.of_option("--timeout", "nothing is waited for", hint="add `--wait`")
    address = "" if dry_run else address_of(url)
    given = batches.read_input(file, endpoint)
    row: dict[str, Any]
    if dry_run:
        row = dict.fromkeys(("id", "status", "model", "completed", "failed", "created_at"))
        row |= {"endpoint": given.endpoint, "total": given.lines, "output_file_id": None, "error_file_id": None}
    else:
        row = batches.submit(address, given)
        if wait:
            row = batches.ended(address, row, timeout_s=timeout)
    if json:
        console.document({**row, "dry_run": dry_run})
    elif dry_run:
        console.say(f"would submit {words.counted(given.lines, 'request')} to {given.endpoint}")
    elif quiet:
        console.row(row["id"])
    elif wait:
        told = f"{row['completed']} of {words.counted(row['total'], 'request')} answered"
        console.say(f"`{row['id']}` {row['status']}: {told}")
        console.next_step(f"llama stack batch results {row['id']}")
    else:
        console.say(f"`{row['id']}`: {words.counted(row['total'], 'request')} to {row['endpoint']}")
        console.next_step(f"llama stack batch results {row['id']}")
    if wait and not dry_run and (code := batches.code_of(row)) is not ExitCode.DONE:
        raise typer.Exit(code)
