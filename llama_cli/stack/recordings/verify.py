"""Ask the providers again, and say what has changed"""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import Alike, EnvFile, EnvPairs, Json, ProvidersOf, Quiet, RecordingsDir
from llama_cli.terminal import console


def command(
    folder: RecordingsDir = None,
    config: ProvidersOf = None,
    only: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Those whose file, test, provider or model fits.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="The most recordings to ask again.")] = None,
    alike: Alike = 0.5,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask the providers again what was recorded, and say what has changed: the schema, and apart from that the meaning:
    status, why an answer ended, tools that are called, texts, vectors. Nothing is written.

    Each provider is asked at its own address with its own key; no server is needed. What may change something there is
    not asked. With -q, the files that have drifted.

    Exits with 9 where something has drifted, else with 6 where a provider could not be reached.

    Examples:
      llama stack recordings verify --config starter
      llama stack recordings verify tests/recordings --only 'inference/openai'
    """
    from llama_cli.recordings.folder import place_of

    place = place_of(folder)
    from llama_cli.recordings.anew import asked_anew, code_of, say_drift, summary
    from llama_cli.recordings.stored import Folder

    found = Folder(place)
    recordings = found.fitting(found.recordings(), only)[:limit]
    options = ["--alike", str(alike)]
    rows = asked_anew("verify", found, recordings, config=config, env=env, env_file=env_file, options=options)
    if json:
        console.document({"folder": str(found.path), "recordings": rows})
    elif quiet:
        for row in rows:
            if row["outcome"] == "drifted":
                console.row(row["file"])
    else:
        say_drift(rows)
        console.say(summary(rows))
    raise typer.Exit(code_of(rows))
