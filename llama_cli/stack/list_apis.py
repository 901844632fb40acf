"""List the APIs, with what each is for."""

from __future__ import annotations

from llama_cli.options import Json, Quiet, Wide
from llama_cli.terminal.tables import Column, listing


def command(json: Json = False, quiet: Quiet = False, wide: Wide = False) -> None:
    """List the APIs, with what each is for and how many providers it has. An API from another package is listed with
    the distributions that were built with a provider of it.

    Examples:
      llama stack list-apis
      llama stack list-apis --json
    """
    from llama_cli.configs.every_spec import external_apis
    from runtime.discovery import api_summaries

    built_in = api_summaries()
    rows = [{"api": api.api, "summary": api.summary, "providers": api.providers} for api in built_in]
    rows += [
        {"api": api, "summary": f"From another package, in {', '.join(names)}", "providers": providers}
        for api, (providers, names) in external_apis([api.api for api in built_in]).items()
    ]
    rows.sort(key=lambda row: str(row["api"]))
    columns = [
        Column("api", "API"),
        Column("providers", "Providers", spare=1),
        Column("summary", "Summary", gives_way=True, readable=30),
    ]
    listing(rows, columns, name="api", wide=wide, empty="no APIs")
