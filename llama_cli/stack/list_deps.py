"""List the packages that a distribution's providers need."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.options import Json, Target, one_form
from llama_cli.terminal import console


def command(
    target: Target,
    format: Annotated[
        Literal["uv", "deps-only"], typer.Option("--format", help="`uv` prints commands that install them.")
    ] = "deps-only",
    json: Json = False,
) -> None:
    """List the packages that a distribution's providers need, beyond the server's own.

    Providers that are off need none: set their variables to see theirs.

    Examples:
      llama stack list-deps starter
      llama stack list-deps starter --format uv | sh
    """
    import os
    import shlex

    one_form(format, usual="deps-only")
    with while_reading(target):
        from llama_cli.packages.planning import planned_for
        from llama_cli.packages.requirements import Requirements
        from llama_cli.packages.run_yaml import will_hold
        from llama_cli.packages.source import Choice, locate

        source = locate(Choice(target=target), os.environ)
        needed = Requirements.parse(planned_for(source, will_hold(source), os.environ).packages)
    if json:
        console.document(
            {
                "name": source.name,
                "source": source.shown,
                "packages": list(needed.main),
                "without_dependencies": list(needed.alone),
            }
        )
    elif format == "uv":
        if needed.main:
            console.out(f"uv pip install {shlex.join(needed.main)}")
        for package in needed.alone:
            console.out(f"uv pip install --no-deps {shlex.quote(package)}")
    else:
        for package in needed.main:
            console.row(package)
        for package in needed.alone:
            console.row(f"{package} --no-deps")
