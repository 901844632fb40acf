"""Stop a server and start it again as it was."""

from __future__ import annotations

import typer

from llama_cli import console
from llama_cli.options import DRAIN_TIMEOUT, DrainTimeout, EnvFile, EnvPairs, Json, Quiet, ServerName


def command(
    name: ServerName = None,
    timeout: DrainTimeout = DRAIN_TIMEOUT,
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

    from llama_cli.servers import records
    from llama_cli.servers.choices import Choices
    from llama_cli.servers.serve import serve
    from llama_cli.servers.stop import stop
    from llama_cli.servers.variables import read_variables
    from runtime.config.ready_files import noted
    from runtime.config.user_file import UserFile

    record = records.find(name, or_crashed=True)
    variables, names = read_variables(env or [], env_file)
    choices = Choices.from_options({"target": record.name, **record.options})
    missing = [f"`{name}`" for name in choices.environment_names if name not in variables]
    if missing:
        console.warn(f"given when it was started, kept nowhere, and not set here: {', '.join(missing)}")
    announced_in = [UserFile(str(one.file), option="--ready-file") for one in noted(record.path)]
    if record.alive:
        stop(record, timeout_s=timeout)
        # Should this command be killed now, there is something to try again with.
        records.rewrite(record, state="failed", reason="it was stopped to be started again")
        console.say(f"stopped `{record.id}`")
    kept = tuple(dict.fromkeys([*choices.environment_names, *names]))
    choices = replace(choices, detach=True, environment_names=kept)
    raise typer.Exit(serve(choices, variables, replaces=record, announced_in=announced_in))
