"""Remove what nobody needs any more."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import DryRun, Json, Quiet, Yes, parse_age
from llama_cli.terminal import console, prompts, words
from llama_cli.terminal.progress import working


def command(
    older_than: Annotated[
        float | None,
        typer.Option(
            metavar="DURATION",
            parser=parse_age,
            help="Only what was not touched for so long, as in `7d`; logs and copies go after 7d unless given.",
        ),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove what nobody needs any more: records, logs and single-start state of servers that have ended, environments
    that nothing runs from, copies of edited run.yaml files, what killed commands have left.

    Whatever runs, distributions, models and what servers have kept in `state` stay.

    Examples:
      llama stack prune --dry-run
      llama stack prune --older-than 30d --yes
    """
    from llama_cli.disk import leftovers
    from llama_cli.servers.tidy import sweep

    with working("looking for what nobody needs"):
        found = leftovers.find(older_than_s=older_than)
    size = words.size(sum(one.size_bytes for one in found))
    things = f"{len(found)} thing{'s' if len(found) != 1 else ''}"
    if not dry_run:
        if found:
            if not (json or quiet):
                for one in found:
                    console.say(f"  {one.kind:13} {words.size(one.size_bytes):>9}  {one.path}")
            prompts.confirm(f"remove {things}, {size}", yes=yes)
            with working(f"removing {things}"):
                found = leftovers.remove(found)
        sweep()
    freed = sum(one.size_bytes for one in found)
    if json:
        console.document({"removed": [one.facts() for one in found], "freed_bytes": freed, "dry_run": dry_run})
    elif dry_run:
        for one in found:
            console.row(one.kind, words.size(one.size_bytes), one.path)
        console.say(f"would remove {things}, {size}" if found else "there is nothing that it would remove")
    else:
        console.say(f"removed {things} and freed {words.size(freed)}" if found else "there is nothing to remove")
