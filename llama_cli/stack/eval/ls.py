"""List the runs of a server."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import Json, Quiet, Url, Wide
from llama_cli.terminal.tables import Column, listing


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="[BENCHMARK]", help="Only of this benchmark, or of the suite of that name.")
    ] = None,
    url: Url = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """List the runs of benchmarks, the newest first: what was put to which model, and how far each is.

    Examples:
      llama stack eval ls
      llama stack eval ls --json
    """
    from llama_cli.asking import evaluations
    from llama_cli.asking.address import address_of

    columns = [
        Column("id", "Id"),
        Column("benchmark_id", "Benchmark"),
        Column("model", "Model", spare=1),
        Column("status", "Status"),
        Column("done", "Answered", spare=2),
        Column("failed", "Failed", spare=2),
        Column("total", "Cases", spare=2),
        Column("created_at", "Created", spare=3),
    ]
    address = address_of(url)
    of = None if name is None else evaluations.benchmark_of(address, name)
    rows = [evaluations.row_of(job) for job in evaluations.runs(address, of)]
    listing(rows, columns, name="id", wide=wide, empty="no runs")
