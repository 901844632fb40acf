"""Serve a distribution, building it if needed."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import PORT_VARIABLES, Json, PortParam, Quiet, Target
from llama_cli.start_options import HOW, StartOptions, takes_start_options
from llama_cli.terminal import console
from llama_cli.terminal.progress import display, waiting, working


@takes_start_options
def command(
    target: Target,
    *,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Address to listen on; by default the run.yaml's.", rich_help_panel=HOW),
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
    options: StartOptions,
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
    from runtime.config.text import shown

    start = options.read(target, host=host, port=port, detach=detach)
    if options.dry_run:
        with waiting(f"reading `{shown(target)}`"):
            from llama_cli.servers.would_start import as_run

            plan = as_run(start.choices, start.variables, config=start.config)
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
            start.choices,
            start.variables,
            timeout_s=start.timeout_s,
            announced_in=start.announced_in,
            config=start.config,
            goals=start.goals,
            env_words=start.env_words,
        )
    raise typer.Exit(code)
