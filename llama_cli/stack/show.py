"""Show a distribution's run config as the server reads it"""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.options import (
    PORT_VARIABLES,
    EnvFile,
    EnvPairs,
    Json,
    PortParam,
    Quiet,
    Target,
    read_once,
    variable_behind,
)
from llama_cli.terminal import console

_CHOICES = "Chosen for a run"


def command(
    target: Target,
    with_origins: Annotated[
        bool, typer.Option("--resolved", help="Say of each value where it comes from; built-in defaults too.")
    ] = False,
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="As `run` takes it.", rich_help_panel=_CHOICES)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="As `run` takes it.",
            click_type=PortParam(),
            envvar=PORT_VARIABLES,
            rich_help_panel=_CHOICES,
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="PATH|NAME", help="As `run` takes it.", rich_help_panel=_CHOICES)
    ] = None,
    env: EnvPairs = None,
    env_file: EnvFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show a distribution's run config as the server reads it: variables filled in, secrets masked, every problem
    named.

    Where a value can come from several places, the command line comes first, then the variables that the run.yaml
    refers to, then the run.yaml itself, then what is built in. With -q, only the ids of the providers that are on.

    Examples:
      llama stack show starter
      llama stack show starter --resolved
      llama stack show run.yaml --json
    """
    with while_reading(target, env_file):
        from llama_cli.packages.planning import run_config_of
        from llama_cli.packages.requirements import without_passwords
        from llama_cli.packages.run_yaml import will_hold
        from llama_cli.packages.source import Choice, locate
        from llama_cli.servers.variables import read_variables
        from runtime.config.run_config import redacted
        from runtime.stack.plan import plan

        read_once(target, env_file)
        environment, _ = read_variables(env or [], env_file)
        source = locate(Choice(target=target, to_run=True), environment)
        run = run_config_of(source, will_hold(source), environment, to_run=True)
        options: dict[str, str] = {}  # by key path
        if model:
            from llama_cli.servers.choices import checked_model
            from runtime.config.choices import with_own_models

            run, serving = with_own_models(run, [checked_model(name) for name in model], require_gpu=False)
            for place, entry in enumerate(run.providers["inference"]):
                if entry.provider_id in serving:
                    options[f"providers.inference[{place}].config.model"] = "--model"
                if entry.provider_id in serving[1:]:
                    options[f"providers.inference[{place}].provider_id"] = "--model"
        listening = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        run = run.model_copy(update={"server": run.server.model_copy(update=listening)})
        options |= {f"server.{name}": f"--{name}" for name in listening}
        planned = plan(run, file=source.shown)
    on = [
        {"api": provider.api, "provider_id": provider.provider_id, "provider_type": provider.spec.provider_type}
        for provider in planned.providers
    ]
    for warning in planned.warnings:
        console.warn(warning)
    if quiet and not json:
        for provider in on:
            console.row(provider["provider_id"])
        return
    resolved = {}
    if with_origins:
        from llama_cli.configs import origins

        chosen = {path: origins.Origin(kind="command line", option=option) for path, option in options.items()}
        if (variable := variable_behind("port")) is not None:
            chosen["server.port"] = origins.Origin(kind="environment", variables=(variable,))
        resolved = origins.resolved(run, planned, made_of=source.made_of, chosen=chosen)
    if json:
        document = {
            "name": run.distro_name,
            "source": source.shown,
            "apis": list(planned.apis),
            "providers": on,
            "off": [
                {"api": provider.api, "provider_type": provider.provider_type, "variables": list(provider.enabled_by)}
                for provider in planned.off
            ],
            "packages": without_passwords(planned.packages),
            "warnings": [*run.warnings, *planned.warnings],
            "config": redacted(run),
        }
        if with_origins:
            document["resolved"] = {path: leaf.document() for path, leaf in origins.flattened(resolved)}
        console.document(document)
        return
    console.row(f"# {source.shown}")
    if with_origins:
        for line in origins.as_yaml(resolved):
            console.out(line)
        return
    from runtime.config.yaml_text import as_yaml

    console.out(as_yaml(redacted(run)).rstrip("\n"))
