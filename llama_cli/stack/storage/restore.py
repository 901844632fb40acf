"""Go back to a copy from before a migration"""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, EnvFile, EnvPairs, Json, Quiet, StateDir, Target, Yes
from llama_cli.terminal import console, prompts, words


def command(
    target: Target,
    copy: Annotated[str | None, typer.Option(metavar="NAME", help="The copy, as `storage show` names it.")] = None,
    state: StateDir = None,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go back to the copy of a database that was kept before its tables were migrated, for a server of the version
    from before. What was written since then is lost, and the copy is used up.

    No server may run on it meanwhile.

    Examples:
      llama stack storage show starter
      llama stack storage restore starter --copy before_files_2_20260102_030405_a1b2
    """
    with while_reading(target, env_file):
        from llama_cli.kept.admin import storage
        from llama_cli.kept.whose import owner_of

        owner = owner_of(target, state, env=env, env_file=env_file)
    if copy is None:
        hint = f"`llama stack storage show {owner.name}` names them"
        raise Failure("say to which copy with `--copy`", hint=hint, code=ExitCode.USAGE)
    options = ["--copy", copy]
    found = storage("restore", owner, [*options, "--dry-run"], what="looking for the copy")
    row = found["copy"]
    size = f" ({words.size(row['size_bytes'])})" if row["size_bytes"] is not None else ""
    what = f"{row['of']} as of {row['made_at']}{size}"
    if not dry_run:
        prompts.confirm(f"go back to {what}, and lose what was written since", yes=yes)
        found = storage("restore", owner, options, what="going back")
    if json:
        console.document({"name": owner.name, **found})
    else:
        console.say(f"would go back to {what}" if dry_run else f"this is again {what}")
