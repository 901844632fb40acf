"""List the batches of a server."""

from __future__ import annotations

from llama_cli.options import Json, Quiet, Url, Wide
from llama_cli.terminal.tables import Column, listing


def command(url: Url = None, json: Json = False, quiet: Quiet = False, wide: Wide = False) -> None:
    """List the batches of a server, the newest first: how far each is, and how many of its requests failed.

    Examples:
      llama stack batch ls
      llama stack batch ls --json
    """
    from llama_cli.asking import batches
    from llama_cli.asking.address import address_of

    columns = [
        Column("id", "Id"),
        Column("status", "Status"),
        Column("completed", "Answered"),
        Column("failed", "Failed"),
        Column("total", "Requests"),
        Column("endpoint", "Endpoint", spare=1),
        Column("model", "Model", spare=2),
        Column("created_at", "Created", spare=3),
    ]
    listing(batches.batches(address_of(url)), columns, name="id", wide=wide, empty="no batches")
