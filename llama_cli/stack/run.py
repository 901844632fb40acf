"""Serve a distribution, building it if needed."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import Failure
from llama_cli.options import (
    PORT_VARIABLES,
    DryRun,
    EnvFile,
    EnvPairs,
    Json,
    Level,
    Offline,
    PortParam,
    Quiet,
    Target,
    parse_duration,
    read_once,
)
from llama_cli.servers.goals import Goal, parse_goal
from llama_cli.terminal import console
from llama_cli.terminal.progress import display, waiting, working

_WHAT = "What to serve"
_HOW = "How to serve"


def command(
    target: Target,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Address to listen on; by default the run.yaml's.", rich_help_panel=_HOW),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="The run.yaml's, or 8321, by default. 0 takes a free one, and keeps nothing but with --state.",
            click_type=PortParam(),
            envvar=PORT_VARIABLES,
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once it is ready, and leave it running.")
    ] = False,
    wait: Annotated[
        list[Goal] | None,
        typer.Option(
            metavar="STATE",
            parser=parse_goal,
            help="What it is when it counts as ready: `ready`, `settled` (each provider has come up or given up), "
            "`model=NAME` or `provider=NAME`.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    ready_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write address and models here, as JSON, once it is ready; `-` is stdout.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="DURATION",
            parser=parse_duration,
            help="How long it can take to be ready; 5m unless given.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH|NAME", help="Serve this model of yours."),
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MODEL", help="Serve a model under one more name.", rich_help_panel=_WHAT),
    ] = None,
    providers: Annotated[
        str | None,
        typer.Option(metavar="API=TYPE,...", help="Use these providers instead.", rich_help_panel=_WHAT),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER", help="Do not start without this provider.", rich_help_panel=_WHAT),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER", help="Leave this provider off.", rich_help_panel=_WHAT),
    ] = None,
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="Do not start without a GPU.", rich_help_panel=_WHAT)
    ] = False,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Keep what the server has to keep here; by default in the distribution's folder.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    offline: Offline = False,
    log_level: Annotated[
        Level | None,
        typer.Option(
            help="Log this level and worse; by default what the run.yaml says, or info.",
            case_sensitive=False,
            rich_help_panel=_HOW,
        ),
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Serve a distribution: build it if needed, start it, and say where it answers.

    Stays in front; Ctrl-C lets running requests finish, a second one ends it at once. The exit code is the server's
    reason.

    On `--port 0` it is one more server, with a state of its own.

    With --detach, what runs already with the same options is left as it is, on whatever port unless --port names one;
    with other options it is a conflict.

    A file comes first, then a template, then what was built under that name: by its own run.yaml, or else from the file
    that it was built from.

    Examples:
      llama stack run starter
      llama stack run starter --detach --env OPENAI_API_KEY
      llama stack run my-run.yaml --port 0 --ready-file ready.json
    """
    import os
    from pathlib import Path

    from llama_cli.servers.choices import Choices, check_aliases, checked_model, checked_state, refuse_model
    from llama_cli.servers.variables import as_typed, read_variables
    from runtime.config.text import as_meant, is_stream, read_text, shown
    from runtime.config.user_file import UserFile

    if any(goal.kind == "stopped" for goal in wait or ()):
        raise Failure.of_option("--wait", "a server that is `stopped` is not started", hint="see `llama stack wait`")
    check_aliases(alias or [])
    announced_in = [UserFile(ready_file, option="--ready-file")] if ready_file is not None else []
    if not dry_run:
        for file in announced_in:  # before anything that takes time or can fail: who waits for it finds no old one
            file.clear()
    refuse_model(target)
    models = tuple(checked_model(name) for name in model or ())
    piped = is_stream(as_meant(target))
    read_once(target, env_file)
    # The process that builds has neither our standard input nor our `<(...)`.
    config = read_text(as_meant(target), what="run config") if piped else None
    variables, names = read_variables(env or [], env_file)
    # Not `Path.is_file`, which raises where a folder is closed to us; reading the file later says so better.
    is_file = not piped and os.path.isfile(target)  # noqa: PTH113
    choices = Choices(
        target=str(Path(target).absolute()) if is_file else target,
        host=host,
        port=port,
        providers=providers,
        models=models,
        aliases=tuple(alias or []),
        require=tuple(require or []),
        require_gpu=require_gpu,
        without=tuple(without or []),
        log_level=log_level,
        state=checked_state(state) if state else None,
        offline=offline,
        environment_names=names,
        detach=detach,
    )
    if dry_run:
        with waiting(f"reading `{shown(target)}`"):
            from llama_cli.servers.would_start import as_run

            plan = as_run(choices, variables, config=config)
        build_and = "" if plan["is_built"] else "build and "
        if json:
            console.document(plan)
        else:
            console.out(f"would {build_and}serve `{plan['name']}` from {plan['run_yaml']}")
        if plan["running"] and not json:
            console.say(f"runs already: {', '.join(plan['running'])}")
        return
    with display():  # one, from here until the server is ready
        with working(f"preparing `{shown(target)}`"):
            from llama_cli.servers.serve import serve
        code = serve(
            choices,
            variables,
            timeout_s=timeout,
            announced_in=announced_in,
            config=config,
            goals=wait or (),
            env_words=as_typed(env or [], env_file),
        )
    raise typer.Exit(code)
