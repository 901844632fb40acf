"""List the shields that a server has."""

from __future__ import annotations

from llama_cli.options import Json, Quiet, Url, Wide
from llama_cli.terminal.tables import Column, listing


def command(url: Url = None, json: Json = False, quiet: Quiet = False, wide: Wide = False) -> None:
    """List the shields that a server has: what says whether a text is harmful, and which provider runs it.

    The id is what `llama moderate --shield` takes, and `model` in a request to `/v1/moderations`.

    Examples:
      llama shields
      llama shields --url starter --json
    """
    from llama_cli.asking import ask
    from llama_cli.asking.address import address_of

    address = address_of(url)
    rows = [
        {
            "id": shield["identifier"],
            "provider_id": shield.get("provider_id"),
            "provider_shield_id": shield.get("provider_resource_id"),
            "params": shield.get("params") or {},
        }
        for shield in ask.listed(address, "/v1/shields", by="identifier")
    ]
    columns = [
        Column("id", "Id"),
        Column("provider_id", "Provider"),
        Column("provider_shield_id", "Its name there", spare=1),
        Column("params", "Params", show=_settings, gives_way=True, spare=2),
    ]
    empty = f"no shields: `POST /v1/shields` registers one, see {address}/docs"
    listing(rows, columns, name="id", wide=wide, empty=empty)


def _settings(params: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())
