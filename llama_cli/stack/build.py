"""Build a distribution: its run.yaml and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, Json, Offline, Quiet
from llama_cli.terminal import console
from llama_cli.terminal.progress import working
from runtime.config.text import shown

_HOW = "How to build"


def command(
    target: Annotated[
        str | None, typer.Argument(metavar="DISTRO", help="A template, or a distribution that was built.")
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A run.yaml, or a build.yaml of older systems; `-` is stdin."),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Build it under this name.")] = None,
    providers: Annotated[
        str | None, typer.Option(metavar="API=TYPE,...", help="Use these providers instead of the template's.")
    ] = None,
    image_type: Annotated[Literal["venv"], typer.Option(help="What to build.", rich_help_panel=_HOW)] = "venv",
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Render run.yaml again though it was edited; a copy is kept.", rich_help_panel=_HOW
        ),
    ] = False,
    no_install: Annotated[
        bool, typer.Option("--no-install", help="Write run.yaml and install nothing.", rich_help_panel=_HOW)
    ] = False,
    for_replay: Annotated[
        bool,
        typer.Option(
            "--for-replay", help="Build what `run --replay` needs, which is small, and no more.", rich_help_panel=_HOW
        ),
    ] = False,
    print_deps: Annotated[
        bool, typer.Option("--print-deps", help="Print the providers' packages and do nothing.", rich_help_panel=_HOW)
    ] = False,
    offline: Offline = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Build a distribution: render its run.yaml, lock its providers' packages with hashes, install them into an
    environment of its own.

    A run.yaml that you have edited is never overwritten. When nothing has changed, nothing is done.

    What is built from a FILE of yours runs by its name too, which leads to the file where it is; a template of the same
    name, or a distribution with a run.yaml of its own, keeps the name, and the file is then run by its path.

    Examples:
      llama stack build starter
      llama stack build starter --name mine --providers inference=remote::ollama
      llama stack build --config run.yaml
    """
    if (target is None) == (config is None):
        raise Failure(
            "name one distribution or one `--config FILE`",
            hint=f"`--providers` changes those of a template: `llama stack build starter --providers {providers}`"
            if providers and config is None
            else "see `llama stack list` for what there is",
            code=ExitCode.USAGE,
        )
    choice = {
        "target": target or config or "",
        "name": name,
        "providers": providers,
        "force": force,
        "for_replay": for_replay,
    }
    with working(f"reading `{shown(target or config or '')}`"):
        _build({**choice, "offline": offline, "install": not no_install}, dry_run=dry_run, print_deps=print_deps)


def _build(chosen: Mapping[str, Any], *, dry_run: bool, print_deps: bool) -> None:
    """chosen: the fields of a `Choice`, whose module takes a while to be imported."""
    import os
    import shlex

    from llama_cli.packages.planning import planned_for
    from llama_cli.packages.requirements import without_passwords
    from llama_cli.packages.run_yaml import will_hold
    from llama_cli.packages.source import Choice, locate

    choice = Choice(**chosen)
    source = locate(choice, os.environ)
    facts: dict[str, Any] = {"name": source.name, "folder": str(source.folder), "run_yaml": str(source.run_yaml)}
    if dry_run or print_deps:
        planned = planned_for(source, will_hold(source, force=choice.force), os.environ)
        packages = without_passwords(planned.packages_in_replay if choice.for_replay else planned.packages)
        if console.settings.json:
            unknown: dict[str, Any] = {"python": None, "changed": None, "packages": None, "seconds": {}}
            console.document({**facts, "is_dry_run": True, "requirements": packages, **unknown})
        elif print_deps:
            for package in packages:
                console.row(package)
        else:
            console.out(f"would build `{source.name}` from {source.origin} in {source.folder}")
            console.say(f"its providers ask for {', '.join(packages) or 'no packages of their own'}")
        return
    from llama_cli.packages.build import build
    from llama_cli.servers.records import alive_records

    built = build(source, choice, os.environ, in_use=lambda: [record.python for record in alive_records()])
    if console.settings.json:
        seconds = {step: round(seconds, 3) for step, seconds in built.seconds.items()}
        made = {"python": str(built.python), "changed": built.changed, "packages": built.packages, "seconds": seconds}
        requirements = without_passwords(built.requirements)
        console.document({**facts, "is_dry_run": False, "requirements": requirements, **made})
    elif console.settings.quiet:
        console.row(source.name)
    else:
        console.say(f"{'built' if built.changed else 'nothing has changed:'} {source.folder}")
        replay = " --replay DIR" if choice.for_replay else ""
        console.next_step(f"llama stack run {shlex.quote(source.named(os.environ))}{replay}")
