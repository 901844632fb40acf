"""Remove what is too old"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.exits import ExitCode, Failure
from llama_cli.options import (
    DryRun,
    EnvFile,
    EnvPairs,
    Json,
    Quiet,
    StateDir,
    Target,
    Yes,
    parse_age,
)
from llama_cli.terminal import console, prompts, words


def command(
    target: Target,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="What to remove, as `storage show` calls it; may be repeated."),
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option(metavar="DURATION", parser=parse_age, help="How old it has to be, as in `30d`."),
    ] = None,
    state: StateDir = None,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove what servers keep and what is too old, after saying what goes and how much. A server may run meanwhile.

    Jobs count from their end; what is still needed stays. `storage.retention` of the run.yaml does the same again and
    again.

    Examples:
      llama stack storage prune starter --kind jobs --older-than 30d --dry-run
      llama stack storage prune starter --kind files --older-than 7d --yes
    """
    with while_reading(target, env_file):
        from llama_cli.kept.admin import storage
        from llama_cli.kept.whose import owner_of

        owner = owner_of(target, state, env=env, env_file=env_file)
    if not kind or older_than is None:
        hint = f"as in `--kind jobs --older-than 30d`; `llama stack storage show {owner.name}` names the kinds"
        raise Failure("say what is to go with `--kind` and `--older-than`", hint=hint, code=ExitCode.USAGE)
    options = [word for name in dict.fromkeys(kind) for word in ("--kind", name)]
    options += ["--older-than", str(older_than)]
    found = storage("prune", owner, [*options, "--dry-run"], what="counting what would go")
    going = [row for row in found["removed"] if row["count"]]
    total = _total(going)
    if not (json or quiet or dry_run):
        for row in going:
            console.say(f"  {_told(row)}")
    if going and not dry_run:
        prompts.confirm(f"remove what is older than {words.duration(older_than)} of `{owner.name}` ({total})", yes=yes)
        found = storage("prune", owner, options, what="removing what is too old")
        going = [row for row in found["removed"] if row["count"]]
    if json:
        console.document({"name": owner.name, **found, "dry_run": dry_run})
        return
    if dry_run:
        for row in going:
            console.row(row["kind"], row["count"], words.size(_size(row)), row["oldest"], row["newest"])
        console.say(f"would remove {total}" if going else "there is nothing that it would remove")
    elif going:
        freed = f"; {_freed(found)}" if any(not row["marked"] for row in going) else ""
        console.say(f"removed: {_total(going)}{freed}")
    else:
        console.say("there is nothing to remove")
    marked = [row for row in going if row["marked"]]
    if marked and not dry_run:
        when = "within a minute, by the server that runs" if found["in_use"] else "when a server starts the next time"
        if any(row["outside_bytes"] for row in marked):
            console.say(f"the bytes of files go {when}")
        if kinds := {f"`{row['kind']}`" for row in marked if not row["outside_bytes"]}:
            console.say(f"what belongs to {' and '.join(sorted(kinds))} goes {when}")


def _size(row: dict[str, Any]) -> int:
    return int(row["size_bytes"] + row["outside_bytes"])


def _told(row: dict[str, Any]) -> str:
    return f"{row['kind']}: {row['count']:,}, {words.size(_size(row))}, from {row['oldest']} to {row['newest']}"


def _total(rows: list[dict[str, Any]]) -> str:
    counted = ", ".join(f"{row['kind']}: {row['count']:,}" for row in rows)
    return f"{counted}; {words.size(sum(map(_size, rows)))}"


def _freed(found: dict[str, Any]) -> str:
    if found["freed_bytes"]:
        return f"{words.size(found['freed_bytes'])} of the disk are free again"
    return "the space is used for what comes next" + (
        "; with the server stopped, it is given back to the disk" if found["in_use"] else ""
    )
