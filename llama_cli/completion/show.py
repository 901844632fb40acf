"""Print what a shell runs to complete `llama`."""

from __future__ import annotations

from llama_cli.completion._shell import Shell
from llama_cli.options import Json
from llama_cli.terminal import console


def command(
    shell: Shell = None,
    json: Json = False,
) -> None:
    """Print what a shell runs to complete `llama`, to read it, or to have it where `install` would not put it.

    Examples:
      llama completion show
      llama completion show bash
    """
    import os

    from llama_cli.completing.places import place_of, shell_of
    from llama_cli.completing.scripts import SCRIPTS

    name = shell_of(shell, os.environ)
    if json:
        place = place_of(name, os.environ)
        console.document({"shell": name, "script": SCRIPTS[name], "path": str(place.script)})
    else:
        console.out(SCRIPTS[name], end="")
