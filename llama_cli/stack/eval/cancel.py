"""Give a run up; what is answered by then stays."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import DryRun, Json, Quiet, Url
from llama_cli.terminal import console


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id.")],
    url: Url = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Give a run up: no more of its cases are asked, and what is answered by then stays. 5 for one that has ended.

    Examples:
      llama stack eval cancel job_0686f2a1c03e1b2f6d3a9c5e
    """
    from llama_cli.asking import evaluations
    from llama_cli.asking.address import address_of

    address = address_of(url)
    job = evaluations.run(address, run)
    row = evaluations.row_of(job if dry_run else evaluations.cancel(address, job))
    if json:
        console.document({**row, "dry_run": dry_run})
    elif dry_run:
        done = f"{row['done']} of {row['total']}" if row["total"] is not None else "not all"
        console.say(f"would cancel `{row['id']}`, which is {row['status']}: {done} cases are answered")
    elif quiet:
        console.row(row["id"])
    else:
        console.say(f"`{row['id']}` is {row['status']}")
