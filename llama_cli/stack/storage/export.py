"""Write everything that is kept into one file"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.exits import Failure
from llama_cli.options import DryRun, EnvFile, EnvPairs, Force, Json, Quiet, StateDir, Target, new_file
from llama_cli.terminal import console, words


def command(
    target: Target,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="The archive; `-` is stdout. Compressed if its name ends with `.gz`."),
    ],
    state: StateDir = None,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    force: Force = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write everything that servers keep into one file, whatever databases it is in: rows, registrations, the bytes of
    files. A server may run meanwhile.

    The file is a tar of JSON lines, with counts and checksums at its end. Bytes that a remote provider has stay there.

    Examples:
      llama stack storage export starter starter.tar.gz
      llama stack storage export starter - | llama stack storage import mine -
    """
    # For its owner alone: it holds what people have said.
    archive = new_file(file, "FILE", force=force, mode=0o600)
    with while_reading(target, env_file):
        from llama_cli.kept.admin import Exported, storage
        from llama_cli.kept.parts import as_part, summary
        from llama_cli.kept.whose import owner_of

        owner = owner_of(target, state, env=env, env_file=env_file)
    if not archive.is_stdout and archive.regular is None:
        raise Failure.of_option("FILE", f"`{file}` is no file", hint="name a file, or `-` for standard output")
    if archive.is_stdout and (json or console.is_any_terminal(sys.stdout)):
        wants = "`--json` wants standard output too" if json else "an archive is not for a terminal"
        raise Failure.of_option("FILE", wants, hint="name a file, or send it on: `... - | gzip > FILE`")
    if dry_run:
        found = storage("show", owner, what=f"counting what `{owner.name}` keeps")
        rows = [row for row in found["kept"] if row["store"] and row["count"]]
        parts = [as_part(row) for row in rows]
    else:
        sent = Exported(owner, ["--gzip"] if file.endswith((".gz", ".tgz")) else [])
        if archive.is_stdout:
            for data in sent:
                console.write_bytes(data)
        else:
            archive.write(sent)
        parts = sent.answer["parts"]
    size_bytes = archive.regular.stat().st_size if archive.regular is not None and not dry_run else None
    if json:
        facts = {"name": owner.name, "file": file, "size_bytes": size_bytes, "dry_run": dry_run}
        console.document({**facts, "parts": parts})
        return
    for line in summary(parts):
        console.say(line)
    size = f", {words.size(size_bytes)}" if size_bytes is not None else ""
    console.say(f"would write {archive.name}" if dry_run else f"exported to {archive.name}{size}")
