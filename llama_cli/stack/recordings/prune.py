"""Remove what nobody asks for any more"""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, Json, Quiet, RecordingsDir, Yes
from llama_cli.terminal import console, prompts, words


def command(
    folder: RecordingsDir = None,
    unused: Annotated[bool, typer.Option("--unused", help="Those that nobody has asked for.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove the recordings that nobody has asked for, after saying which and how much. Then it is noted anew what is
    used.

    Run all of your tests before: what a test would have used that did not run is not used.

    Examples:
      llama stack recordings prune --unused --dry-run
      llama stack recordings prune tests/recordings --unused --yes
    """
    from llama_cli.recordings.folder import place_of

    place = place_of(folder)
    if not unused:
        hint = "`--unused` removes those that nobody has asked for"
        raise Failure("say what is to go", hint=hint, code=ExitCode.USAGE)
    from llama_cli.recordings.rows import row_of, total, used_files
    from llama_cli.recordings.stored import Folder
    from runtime.recording import documents, used

    found = Folder(place)
    recordings = found.recordings()
    is_used = used_files(found)
    rows = [row for row in (row_of(one, found, is_used) for one in recordings) if not row["used"]]
    what = total(rows)
    if not (json or quiet or dry_run):
        for row in rows:
            of_test = f" of {row['test']}" if row["test"] else ""
            console.say(f"  {row['file']}{of_test}, {words.size(row['size_bytes'])}")
    if rows and not dry_run:
        prompts.confirm(f"remove {what} of {len(recordings)} in `{found.shown}`", yes=yes)
        for row in rows:
            documents.remove(found.path / row["file"], below=found.path)
    if not dry_run:
        used.forget(found.path)
    if json:
        removed = [
            {name: row[name] for name in ("file", "test", "provider", "operation", "size_bytes")} for row in rows
        ]
        kept = len(recordings) - len(rows)
        console.document({"folder": str(found.path), "removed": removed, "kept": kept, "dry_run": dry_run})
    elif dry_run:
        for row in rows:
            console.row(row["file"], row["test"] or "", words.size(row["size_bytes"]))
        console.say(f"would remove {what} of {len(recordings)}" if rows else "there is nothing that it would remove")
    else:
        console.say(f"removed {what}" if rows else "there is nothing to remove: each one is used")
