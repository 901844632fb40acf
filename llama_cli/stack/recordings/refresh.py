"""Record again, in the same files"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Alike, DryRun, EnvFile, EnvPairs, Json, ProvidersOf, Quiet
from llama_cli.terminal import console, words


def command(
    recordings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECORDING]...", help="Their files, or how their keys begin.", show_default=False),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option("--dir", metavar="DIR", help="Their folder; by default as for `ls`.", rich_help_panel="More"),
    ] = None,
    test: Annotated[
        str | None, typer.Option(metavar="NAME", help="Those of a test, a file of tests, or a pattern.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="All that can be asked again.")] = False,
    config: ProvidersOf = None,
    alike: Alike = 0.5,
    redact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Do not record what this regular expression finds, beside keys.",
            rich_help_panel="More",
        ),
    ] = None,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask the providers again what was recorded, keep the answers in the same files, and say what has changed.

    Requests stay as they are: where a prompt has changed, record the test again with `--record`.

    What does not answer keeps its recording: exit code 6. With -q, the files that were written.

    Examples:
      llama stack recordings refresh --test test_hello --config starter
    """
    if bool(recordings) + (test is not None) + all != 1:
        hint = "name them, or `--test NAME`, or `--all`: one of the three"
        raise Failure("say what is to be recorded again", hint=hint, code=ExitCode.USAGE)
    _check_patterns(redact or ())
    from llama_cli.recordings.folder import place_of

    place = place_of(folder, sought=recordings[0] if recordings else None)
    from llama_cli.recordings.anew import asked_anew, say_drift, summary
    from llama_cli.recordings.stored import Folder

    found = Folder(place)
    if recordings:
        chosen = list({one.path: one for one in map(found.named, recordings)}.values())
    else:
        every = found.recordings()
        chosen = every if test is None else found.of_test(every, test)
    options = ["--alike", str(alike), *(["--dry-run"] if dry_run else [])]
    options += [f"--redact={pattern}" for pattern in redact or ()]
    rows = asked_anew("refresh", found, chosen, config=config, env=env, env_file=env_file, options=options)
    written = [row for row in rows if row["written"]]
    if json:
        console.document({"folder": str(found.path), "recordings": rows, "dry_run": dry_run})
    elif quiet:
        for row in written:
            console.row(row["file"])
    else:
        say_drift(rows)
        count = len([row for row in rows if row["outcome"] in ("same", "drifted")])
        did = f"would record {words.counted(count, 'recording')} again" if dry_run else f"recorded {len(written)} again"
        console.say(f"{summary(rows)}; {did}")
    if any(row["outcome"] == "unreachable" for row in rows):
        raise typer.Exit(ExitCode.NETWORK)
    if not all and any(row["outcome"] == "not_asked" for row in rows):
        raise typer.Exit(ExitCode.FAILED)


def _check_patterns(patterns: Iterable[str]) -> None:
    """Raises Failure (USAGE) for one that is no regular expression."""
    import re

    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise Failure.of_option("--redact", f"`{pattern}` is no regular expression: {error}") from error
