"""Print the answers of a batch."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import Json, Quiet, Url
from llama_cli.terminal import console, words


def command(
    batch: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    errors: Annotated[
        bool, typer.Option("--errors", help="Print what could not be answered instead, and why.")
    ] = False,
    url: Url = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print the answers of a batch that has ended, one JSON object a line, in the order of its file.

    The exit code is 9 where some could not be answered, 1 where the batch has not ended, failed, expired or was
    cancelled; what is answered is printed all the same.

    Examples:
      llama stack batch results batch_0686f2a1c03e1b2f6d3a9c5e > answers.jsonl
      llama stack batch results batch_0686f2a1c03e1b2f6d3a9c5e --errors
    """
    from llama_cli.asking import batches
    from llama_cli.asking.address import address_of
    from llama_cli.exits import ExitCode

    address = address_of(url)
    row = batches.batch(address, batch)
    file_id = row["error_file_id" if errors else "output_file_id"]
    for line in batches.lines_of(address, file_id) if file_id else ():
        console.out(line)
    if row["status"] != "completed":
        console.warn(f"`{row['id']}` is {row['status']}: {row['completed']} of {row['total']} are answered")
    elif row["failed"] and not errors:
        failed = words.counted(row["failed"], "request")
        console.warn(f"{failed} could not be answered: `llama stack batch results {row['id']} --errors`")
    if (code := batches.code_of(row)) is not ExitCode.DONE:
        raise typer.Exit(code)
