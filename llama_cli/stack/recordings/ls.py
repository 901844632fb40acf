"""List what was recorded, and whether anybody uses it"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llama_cli.options import Json, Quiet, RecordingsDir, Wide
from llama_cli.terminal import console, words
from llama_cli.terminal.tables import Column, listing


def command(
    folder: RecordingsDir = None,
    test: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of a test, of a file of tests, or of a pattern.")
    ] = None,
    unused: Annotated[bool, typer.Option("--unused", help="Only those that nobody has asked for.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """List what was recorded: of which test, what a provider was asked, and whether it answered with a stream, a whole
    answer or a refusal. With -q, the files.

    Used are those that a server has recorded, or answered from, since `prune --unused`.

    Examples:
      llama stack recordings ls
      llama stack recordings ls tests/recordings --test test_chat.py
      llama stack recordings ls --unused -q
    """
    from llama_cli.recordings.folder import place_of

    place = place_of(folder)
    from llama_cli.recordings.rows import row_of, total, used_files
    from llama_cli.recordings.stored import Folder
    from runtime.recording.used import used

    found = Folder(place)
    recordings = found.recordings()
    is_used = used_files(found) if unused else used(found.path)
    if test is not None:
        recordings = found.of_test(recordings, test)
    rows = [row_of(one, found, is_used) for one in recordings]
    if unused:
        rows = [row for row in rows if not row["used"]]
    columns = [
        Column("test", "Test", groups=True),
        Column("provider", "Provider"),
        Column("operation", "Operation", gives_way=True),
        Column("model", "Model", spare=2),
        Column("kind", "Answer"),
        Column("status", "Status", spare=4),
        Column("size_bytes", "Size", show=words.size, spare=1),
        Column("used", "Used", show=lambda is_it: "yes" if is_it else "no", spare=3),
        Column("file", "File", spare=5),
    ]
    listing(rows, columns, name="file", wide=wide, empty="there is no recording that nobody uses")
    if rows and console.is_any_terminal(sys.stdout) and not json:
        console.say(f"{total(rows)} in {found.shown}")
