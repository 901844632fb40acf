"""List the providers a stack can be made of."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.console import ExitCode, Failure
from llama_cli.options import Json, Quiet, Wide
from llama_cli.tables import Column, listing


def command(
    api: Annotated[str | None, typer.Argument(help="Only the providers of this API.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """List the providers a stack can be made of, of all APIs or of one.

    `evidence` says how a provider is proven: live (the real component), recorded, wire (a local server in the vendor's
    shape) or unproven.

    Examples:
      llama stack list-providers inference
      llama stack list-providers --json
      llama stack list-providers | wc -l
    """
    from runtime.discovery import api_names, specs
    from runtime.errors import names_for

    if api is not None and api not in api_names():
        raise Failure(f"there is no API `{api}`", hint=names_for(api, api_names()), code=ExitCode.USAGE)
    shown = ("api", "provider_type", "aliases", "kind", "summary", "evidence", "packages")
    rows = [{name: getattr(spec, name) for name in shown} for spec in specs() if api in (None, spec.api)]
    columns = [
        Column("api", "API"),
        Column("provider_type", "Provider type"),
        Column("evidence", "Evidence", spare=True),
        Column("summary", "Summary", gives_way=True),
        Column("packages", "Packages", spare=True),
    ]
    listing(rows, columns, name="provider_type", wide=wide, empty="no providers")
