"""List the variables that a distribution reads"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.options import EnvFile, Json, Quiet, Target, Wide, one_form, read_once
from llama_cli.terminal import console
from llama_cli.terminal.tables import Column, listing


def command(
    target: Target,
    format: Annotated[
        Literal["table", "dotenv"], typer.Option("--format", help="`dotenv` prints a file to fill in.")
    ] = "table",
    env_file: EnvFile = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """List the variables that a distribution reads, what each does, and whether it is set.

    Values of secrets are never shown. Variables that are set, look meant for it and are read by nothing are named, with
    the name that is read.

    Examples:
      llama stack env starter
      llama stack env starter --format dotenv
      llama stack env run.yaml --json
    """
    from dataclasses import asdict

    from runtime.similar import suggestion

    one_form(format, usual="table")
    read_once(target, env_file)
    with while_reading(target, env_file):
        from llama_cli.configs.text import config_tree
        from llama_cli.configs.variables import known_to_providers, unread, variables_of
        from llama_cli.servers.variables import read_variables
        from runtime.config.mentions import mentions
        from runtime.config.template import purposes

        environment, _ = read_variables([], env_file)
        config, reading = config_tree(target, environment)
        found = variables_of(mentions(reading), environment, purposes=purposes(first=config.template))
    if format == "dotenv":
        from llama_cli.configs.dotenv import dotenv

        console.out(dotenv(found, config.shown), end="")
        return
    stray = unread((variable.name for variable in found), environment)
    if json:
        rows = [{**asdict(variable), "state": variable.state} for variable in found]
        strays = [
            {"name": name, "nearest": meant, "providers": list(known_to_providers().get(name, ()))}
            for name, meant in stray.items()
        ]
        console.document({"source": config.shown, "variables": rows, "unread": strays})
        return
    rows = [
        {
            "name": variable.name,
            "state": variable.state,
            "value": "(secret)" if variable.is_set and variable.is_secret else variable.value or variable.default,
            "purpose": variable.purpose,
            "used_at": [":".join(str(part) for part in place.values() if part) for place in variable.used_at],
        }
        for variable in found
    ]
    columns = [
        Column("name", "Variable"),
        Column("state", "State"),
        Column("purpose", "What it does", gives_way=True, readable=40),
        Column("value", "Value or default", gives_way=True, spare=1, readable=12),
        Column("used_at", "Where it is read", gives_way=True, spare=1),
    ]
    listing(rows, columns, name="name", wide=wide, empty=f"{config.shown} reads no variable")
    for name, meant in stray.items():
        why = suggestion(meant) or f"{', '.join(known_to_providers()[name])} would, and is no provider of it"
        console.warn(f"`{name}` is set, and {config.shown} does not read it: {why}")
