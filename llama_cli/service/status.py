"""List the services, with what the supervisor says of each"""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode
from llama_cli.options import Json, Quiet, Wide
from llama_cli.terminal.tables import Column, listing


def command(
    service: Annotated[
        str | None, typer.Argument(metavar="SERVICE", help="Its name; otherwise all that are installed.")
    ] = None,
    system: Annotated[bool, typer.Option("--system", help="Those of the machine, not of you.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """List the services that were installed: whether each runs, starts at boot, and where it answers.

    The exit code is 7 where one that is named does not run.

    Examples:
      llama service status
      llama service status starter --json
    """
    import os

    from llama_cli.servers.records import alive_records
    from llama_cli.supervisors.chosen import installed, supervisor
    from llama_cli.supervisors.service import PREFIX

    found = supervisor(is_system=system, environment=os.environ)
    urls = {record.name: record.url for record in alive_records()}
    rows = []
    for label in installed(found, service):
        name = label.removeprefix(PREFIX)
        rows.append({"name": name, **found.state(label), "url": urls.get(name), "file": str(found.file(label))})
    columns = [
        Column("name", "Name"),
        Column("state", "State"),
        Column("enabled", "At boot", show=lambda is_enabled: "yes" if is_enabled else "no"),
        Column("pid", "PID", spare=1),
        Column("url", "Address"),
        Column("file", "File", gives_way=True, spare=1),
    ]
    empty = "no service is installed; `llama service install starter` does it"
    listing(rows, columns, name="name", wide=wide, empty=empty)
    if service is not None and rows[0]["state"] not in ("active", "running"):
        raise typer.Exit(ExitCode.UNHEALTHY)
