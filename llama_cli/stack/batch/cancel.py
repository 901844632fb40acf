"""Give a batch up; what is answered by then stays."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import DryRun, Json, Quiet, Url
from llama_cli.terminal import console


def command(
    batch: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    url: Url = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Give a batch up: no more of its requests are asked, and what is answered by then stays. 5 for one that has ended.

    Examples:
      llama stack batch cancel batch_0686f2a1c03e1b2f6d3a9c5e
    """
    from llama_cli.asking import batches
    from llama_cli.asking.address import address_of

    address = address_of(url)
    row = batches.batch(address, batch) if dry_run else batches.cancel(address, batch)
    if json:
        console.document({**row, "dry_run": dry_run})
    elif dry_run:
        left = row["total"] - row["completed"] - row["failed"]
        console.say(f"would cancel `{row['id']}`, which is {row['status']}: {left} of {row['total']} are not answered")
    elif quiet:
        console.row(row["id"])
    else:
        console.say(f"`{row['id']}` is {row['status']}")
