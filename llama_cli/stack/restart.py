"""Stop a server and start it again, once what it will run from is built."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import Failure
from llama_cli.options import (
    DRAIN_TIMEOUT,
    DrainTimeout,
    DryRun,
    EnvFile,
    EnvPairs,
    Json,
    Level,
    LocalUrl,
    PortParam,
    Quiet,
    ServerName,
    one_server,
)
from llama_cli.terminal import console
from llama_cli.terminal.progress import display

_WHAT = "What to change"


def command(
    name: ServerName = None,
    url: LocalUrl = None,
    timeout: DrainTimeout = DRAIN_TIMEOUT,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="PROVIDER", help="Start it without this provider.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Another address to listen on.", rich_help_panel=_WHAT)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Another port.", click_type=PortParam(), rich_help_panel=_WHAT),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH|NAME", help="Serve this model of yours instead.", rich_help_panel=_WHAT),
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MODEL", help="One more name for a model, instead of those.", rich_help_panel=_WHAT),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER", help="Do not start without this provider.", rich_help_panel=_WHAT),
    ] = None,
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="Do not start without a GPU.", rich_help_panel=_WHAT)
    ] = False,
    log_level: Annotated[
        Level | None, typer.Option(help="Log this level and worse.", case_sensitive=False, rich_help_panel=_WHAT)
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Stop a server and start it again, detached, with the same options and on the same port; also one that has
    crashed.

    Variables given by --env or --env-file are not on disk: give them again, or have them in this shell. It serves on
    while what has changed is built, and stays as it is where that fails, a provider would be lost, or the run config is
    wrong.

    An option that is given takes the place of the former one; to take one away, stop the server and run it anew.

    Examples:
      llama stack restart starter
      llama stack restart starter --env OPENAI_API_KEY
      llama stack restart starter --port 8322 --log-level debug
    """
    from dataclasses import replace

    from llama_cli.servers import named, records
    from llama_cli.servers.choices import Choices, check_aliases, checked_model
    from llama_cli.servers.prepare import Former
    from llama_cli.servers.recorded import with_recorded
    from llama_cli.servers.serve import serve
    from llama_cli.servers.variables import read_variables
    from llama_cli.servers.would_start import as_restart
    from runtime.config.ready_files import noted
    from runtime.config.user_file import UserFile

    record = named.find(one_server(name, url), or_crashed=True)
    if port == 0:
        raise Failure.of_option("--port", "a restart keeps the port, or takes the one that is named")
    check_aliases(alias or [])
    variables, names = read_variables(env or [], env_file)
    changes = {
        "host": host,
        "port": port,
        "models": tuple(checked_model(each) for each in model or ()),
        "aliases": tuple(alias or ()),
        "require": tuple(require or ()),
        "require_gpu": require_gpu,
        "without": tuple(without or ()),
        "log_level": log_level,
    }
    given = {option: value for option, value in changes.items() if value not in (None, (), False)}
    stays = {"detach": True, "for_command": False}
    choices = Choices.from_options({"target": record.name, **record.options, **given, **stays})
    variables = with_recorded(variables, choices.replay)
    would = as_restart(record, choices, variables)  # raises here, while nothing has been stopped
    if dry_run:
        if json:
            console.document(would)
        else:
            console.out(f"would {'stop and ' if record.alive else ''}start `{record.id}` from {would['run_yaml']}")
        return
    missing = [f"`{each}`" for each in choices.environment_names if each not in variables]
    if missing:
        console.warn(f"given when it was started, kept nowhere, and not set here: {', '.join(missing)}")
    announced_in = [UserFile(str(one.file), option="--ready-file") for one in noted(record.path)]
    kept = tuple(dict.fromkeys([*choices.environment_names, *names]))
    choices = replace(choices, environment_names=kept)
    with display():  # one, until the server is ready
        try:
            former = Former(record=record, drain_s=timeout)
            code = serve(choices, variables, replaces=former, announced_in=announced_in)
        except Failure as failure:
            if record.alive:
                now = records.read(record.path)
                runs_on = now is not None and now.alive and now.launch == record.launch
                again = f"does not run now; `llama stack restart {record.id}` tries again"
                rests = f"`{record.id}` {'runs on as it was' if runs_on else again}"
                failure.hint = "; ".join(filter(None, [failure.hint, rests]))
            raise
    raise typer.Exit(code)
