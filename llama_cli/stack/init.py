"""Write a run.yaml to begin with"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, Force, Json, PortParam, Quiet, new_file
from llama_cli.terminal import console, prompts, words
from llama_cli.terminal.progress import waiting
from runtime.errors import StackError

T = TypeVar("T")
_TEMPLATE, _FILE = "starter", "run.yaml"


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The distribution's name; by default the folder's.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(metavar="TEMPLATE", help="What to begin with; by default NAME, or `starter`.")
    ] = None,
    providers: Annotated[
        str | None, typer.Option(metavar="API=TYPE,...", help="Use these providers instead of the template's.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="PATH|NAME", help="The model that our engine serves.")] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Where it listens; 8321 unless given.", click_type=PortParam())
    ] = None,
    output: Annotated[
        str, typer.Option(metavar="FILE", help="`run.yaml` unless given; `-` is stdout.", show_default=False)
    ] = _FILE,
    force: Force = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a run.yaml to begin with: commented, checked, and yours to edit.

    On a terminal it asks for what no option gives; Enter takes what stands in brackets, and `--no-input` takes that of
    all.

    Examples:
      llama stack init
      llama stack init mine --providers inference=remote::ollama --output -
    """
    with waiting("reading what can be chosen"):
        from llama_cli.configs.new import checked_name, has_own_engine, new_config
        from llama_cli.packages.source import parse_providers
        from runtime.config.sections import DEFAULT_PORT
        from runtime.config.template import load_template

    file = new_file(output, "--output", force=force)
    if file.is_stdout and json:
        raise Failure.of_option("--output", "`-` and `--json` both want standard output", hint="leave one out")
    chosen = parse_providers(providers) if providers else {}
    if prompts.can_ask() and not quiet:
        if template is not None:
            load_template(template)  # what is wrong with an option is said before anything is asked
        if name is not None:
            checked_name(name)
        template = template or _asked("Template", _likely_template(name), lambda given: load_template(given).name)
        name = name or _asked("Name", _default_name(template), checked_name)
        from llama_cli.servers.choices import checked_model, shipped_models

        if model is None and has_own_engine(template, chosen):
            given = _asked("Model", shipped_models()[0], checked_model)
            model = given if given != shipped_models()[0] else None
        port = port if port is not None else _asked("Port", DEFAULT_PORT, _port)
    template = template or _likely_template(name)
    name = name or _default_name(template)
    made = new_config(template, name, chosen=chosen, model=model, port=port, env=os.environ)
    if file.is_stdout and not dry_run:
        console.out(made.text, end="")
        return
    file = new_file(output, "--output", force=force)  # again: it may have come while a person thought
    if not dry_run and not file.write(made.text):
        raise Failure(f"nobody reads {file.name}")
    off = sum(1 for provider in made.providers if provider["variables"])
    on = len(made.providers) - off
    # With nothing on it serves nothing: what turns something on comes first.
    next_command = f"llama stack {'run' if on else 'env'} {shlex.quote(output)}"
    if json:
        console.document(
            {
                "name": name,
                "template": template,
                "file": None if file.is_stdout else str(file.regular or Path(output).absolute()),
                "is_written": not dry_run,
                "providers": list(made.providers),
                "needed": list(made.needed),
                "next": next_command,
            }
        )
        return
    if quiet:
        console.row(output)
        return
    would = "would write" if dry_run else "wrote"
    counted = words.counted(on, "provider") if on else "no provider that is on yet"
    switched = f", and {off} that variables turn on" if off else ""
    console.say(f"{would} {file.name}: `{name}` with {counted}{switched}")
    if made.needed:
        console.say(f"set before it runs: {', '.join(made.needed)}")
    console.next_step(next_command)


def _asked(what: str, default: T, checked: Callable[[str], T]) -> T:
    """What a person answers, or the default; asked again while it is none that can be. Raises Failure at the end of
    standard input.
    """
    while True:
        try:
            given = prompts.ask(f"{what} [{default}]: ").strip()
            return checked(given) if given else default
        except EOFError:
            console.say("")  # the prompt's line has no end
            hint = "give it on the command line: see `llama stack init --help`"
            raise Failure(f"nobody answers what the {what.lower()} is", hint=hint, code=ExitCode.USAGE) from None
        except (Failure, StackError, typer.BadParameter) as error:
            advice = getattr(error, "hint", None)
            console.say(f"{error.message}{f': {advice}' if advice else ''}")


def _port(given: str) -> int:
    return int(PortParam().convert(given, None, None))


def _likely_template(name: str | None) -> str:
    """The one of that name: who writes `init remote` means it."""
    from runtime.config.template import template_names

    return name if name is not None and name in template_names() else _TEMPLATE


def _default_name(template: str) -> str:
    """The folder's, unless it cannot be one or would hide a template."""
    from runtime.config.home import is_distribution_name
    from runtime.config.template import template_names

    here = Path.cwd().name
    return here if is_distribution_name(here) and here not in template_names() else f"my-{template}"
