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

    Providers that are off need none: set their variables to see theirs. The address of a package is listed without a
    password that is in it; only what `--format uv` prints has it, since that is to be run.

    Examples:
      llama stack list-deps starter
      llama stack list-deps starter --format uv | sh
    """
    import os
    import shlex

    one_form(format, usual="deps-only")
    with while_reading(target):
        from llama_cli.packages.planning import planned_for
        from llama_cli.packages.requirements import Requirements, without_passwords
        from llama_cli.packages.run_yaml import will_hold
        from llama_cli.packages.source import Choice, locate

        source = locate(Choice(target=target), os.environ)
        needed = Requirements.parse(planned_for(source, will_hold(source), os.environ).packages)
    main, alone = without_passwords(needed.main), without_passwords(needed.alone)
    if format != "uv" and (main, alone) != (list(needed.main), list(needed.alone)):
        how = f"llama stack list-deps {shlex.quote(target)} --format uv"
        console.say("addresses are listed without their passwords")
        console.hint(f"`{how}` prints commands that have them")
    if json:
        document = {"name": source.name, "source": source.shown, "packages": main, "without_dependencies": alone}
        console.document(document)
    elif format == "uv":
        if needed.main:
            console.out(f"uv pip install {shlex.join(needed.main)}")
        for package in needed.alone:
            console.out(f"uv pip install --no-deps {shlex.quote(package)}")
    else:
        for package in main:
            console.row(package)
        for package in alone:
            console.row(f"{package} --no-deps")
