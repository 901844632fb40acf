"""Stop a server and start it again as it was."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli import console
from llama_cli.options import EnvFile, EnvPairs, Json, Quiet, parse_duration


def command(
    name: Annotated[
        str | None, typer.Argument(help="The server; may be left out where only one runs.", show_default=False)
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            help="How long running requests may take to finish; 30s unless given.",
            metavar="DURATION",
            parser=parse_duration,
            show_default=False,
        ),
    ] = "30s",  # type: ignore[assignment]  # Typer parses the default as it parses what is typed
    env: EnvPairs = None,
    env_file: EnvFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Stop a server and start it again, detached, with the same options and on the same port; also one that has
    crashed.

    Variables that were given by --env or --env-file are not on disk: give them again, or have them in this shell.

    Examples:
      llama stack restart starter
      llama stack restart starter --env OPENAI_API_KEY
    """
    from dataclasses import replace

    from llama_cli.servers import process, records
    from llama_cli.servers.choices import Choices
    from llama_cli.servers.environment_options import read_environment
    from llama_cli.servers.serve import Again, serve

    record = records.find(name, or_crashed=True)
    environment, names = read_environment(env or [], env_file)
    choices = Choices.from_options({"target": record.name, **record.options})
    missing = [name for name in choices.environment_names if name not in environment]
    if missing:
        console.warn(
            f"given when it was started, kept nowhere, and not set here: {', '.join(f'`{name}`' for name in missing)}"
        )
    if record.alive:
        process.stop(record, timeout_s=timeout, on_wait=lambda reason: console.say(f"waiting: {reason}"))
        console.say(f"stopped `{record.id}`")
    again = Again(
        server_id=record.id, state_dir=record.state_dir or "", port=record.port if choices.port == 0 else choices.port
    )
    kept = tuple(dict.fromkeys([*choices.environment_names, *names]))
    raise typer.Exit(serve(replace(choices, detach=True, environment_names=kept), environment, again=again))
