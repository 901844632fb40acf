"""Wait until servers are ready, settled or stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import Json, Quiet, ServerNames, Url, all_servers, parse_duration
from llama_cli.servers.goals import READY, Goal, parse_goal
from llama_cli.terminal import console


def command(
    names: ServerNames = None,
    url: Url = None,
    for_: Annotated[
        list[Goal] | None,
        typer.Option(
            "--for",
            metavar="STATE",
            parser=parse_goal,
            help="`ready` (it answers; the default), `settled` (each provider has come up or given up), `stopped`, "
            "`model=NAME` or `provider=NAME`. Given twice: both.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="DURATION", parser=parse_duration, help="Exit 8 after this; without it, only what comes ends it."
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Wait until servers are ready, settled or stopped, or until a model or a provider can be used.

    The exit code is 0 when they are, 2 for a model or a provider that the server does not have and nobody is left to
    bring, 7 when it cannot come any more, since the server has ended, and 8 when --timeout ran out. The name of a
    distribution that was not started yet is waited for, too.

    Examples:
      llama stack wait starter --timeout 2m
      llama stack wait --for settled --for provider=openai
      llama stack wait http://127.0.0.1:8321 --for model=SmolLM2-135M-Instruct
    """
    from llama_cli.servers import waiting

    goals = for_ or [READY]
    chosen: list[str | None] = [*all_servers(names, url)] or [None]
    awaited = [waiting.Awaited.of(name) for name in chosen]
    waiting.wait(awaited, goals, timeout_s=timeout)
    if json:
        console.document([{**one.facts(), "for": [goal.words for goal in goals]} for one in awaited])
    elif quiet:
        for one in awaited:
            console.row(one.name)
    else:
        for one in awaited:
            has_address = one.url not in (None, one.name) and all(goal.kind != "stopped" for goal in goals)
            where = f" at {one.url}" if has_address else ""
            console.say(f"`{one.name}`{where} {' and '.join(goal.met for goal in goals)}")
