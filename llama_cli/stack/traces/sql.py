"""Ask in SQL what requests to a server led to."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import Json, Quiet, Url, Wide
from llama_cli.terminal import console
from llama_cli.terminal.tables import answer


def command(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT, in the SQL of DuckDB.", show_default=False)],
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="The most rows.")] = 1000,
    url: Url = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """Ask in SQL what requests to a server led to. `-q` prints the first column alone.

    `spans` has a row for each thing that took time: trace_id, request_id, owner, span_id, parent_id, name, kind, began,
    duration_ms, error, message, api, operation, provider_id, model, input_tokens, output_tokens, cost_usd, status, and
    all else in attributes, which is JSON: `attributes->>'$."gen_ai.response.model"'`. Nothing is changed.

    `llama stack storage query` asks the same where no server runs.

    Examples:
      llama stack traces sql "SELECT model, count(*) FROM spans GROUP BY 1"
      llama stack traces sql "SELECT name, duration_ms FROM spans" --json
    """
    from llama_cli.asking import traces
    from llama_cli.asking.address import address_of

    found = traces.queried(address_of(url), sql, number=limit)
    if json:
        console.document({"columns": found.columns, "rows": found.rows, "has_more": found.has_more})
        return
    answer(found.columns, found.rows, has_more=found.has_more, wide=wide)
