"""Stop a service and remove what `install` has written"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llama_cli.options import DryRun, Json, Quiet, Yes
from llama_cli.terminal import console, prompts


def command(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="Its name.")],
    system: Annotated[bool, typer.Option("--system", help="One of the machine, not of you.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Stop a service, let it no longer start, and remove its unit. The distribution and its state stay.

    Examples:
      llama service uninstall starter
      llama service uninstall starter --yes
    """
    import os

    from llama_cli.exits import ExitCode, Failure
    from llama_cli.supervisors.chosen import installed, supervisor
    from llama_cli.supervisors.service import PREFIX

    found = supervisor(is_system=system, environment=os.environ)
    [label] = installed(found, service)
    file = found.file(label)
    facts: dict[str, Any] = {"name": label.removeprefix(PREFIX), "supervisor": found.name, "file": str(file)}
    if dry_run:
        console.say(f"would stop `{facts['name']}` and remove {file}")
    else:
        prompts.confirm(f"this stops `{facts['name']}` and removes {file}", yes=yes)
        found.stop(label)
        try:
            file.unlink(missing_ok=True)
        except PermissionError as error:
            raise Failure(f"you may not remove `{file}`", hint="use `sudo`", code=ExitCode.ACCESS) from error
        found.reload()
        console.say(f"removed: {file}")
    if json:
        console.document({**facts, "result": "would_remove" if dry_run else "removed"})
