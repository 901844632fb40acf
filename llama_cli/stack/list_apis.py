"""List the APIs, with what each is for."""

from __future__ import annotations

from llama_cli.options import Json, Quiet, Wide
from llama_cli.terminal.tables import Column, listing


def command(json: Json = False, quiet: Quiet = False, wide: Wide = False) -> None:
    """List the APIs, with what each is for and how many providers it has.

    Examples:
      llama stack list-apis
      llama stack list-apis --json
    """
    from runtime.discovery import api_summaries

    rows = [{"api": api.api, "summary": api.summary, "providers": api.providers} for api in api_summaries()]
    columns = [
        Column("api", "API"),
        Column("providers", "Providers", spare=1),
        Column("summary", "Summary", gives_way=True, readable=30),
    ]
    listing(rows, columns, name="api", wide=wide, empty="no APIs")
