"""Show a distribution's run config as the server reads it."""

from __future__ import annotations

from llama_cli import console
from llama_cli.options import Json, Quiet, Target


def command(
    target: Target,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show a distribution's run config as the server reads it: variables filled in, secrets masked, every problem
    named.

    With -q, only the ids of the providers that are on.

    Examples:
      llama stack show starter
      llama stack show run.yaml --json
    """
    import os

    from llama_cli.packages.planning import run_config_of
    from llama_cli.packages.run_yaml import will_hold
    from llama_cli.packages.source import Choice, locate
    from runtime.config.run_config import redacted
    from runtime.stack.plan import plan

    source = locate(Choice(target=target, to_run=True), os.environ)
    run = run_config_of(source, will_hold(source), os.environ, to_run=True)
    planned = plan(run, file=source.shown)
    on = [
        {"api": provider.api, "provider_id": provider.provider_id, "provider_type": provider.spec.provider_type}
        for provider in planned.providers
    ]
    off = [
        {"api": provider.api, "provider_type": provider.provider_type, "variables": list(provider.enabled_by)}
        for provider in planned.off
    ]
    for warning in planned.warnings:
        console.warn(warning)
    if json:
        console.document(
            {
                "name": run.distro_name,
                "source": source.shown,
                "apis": list(planned.apis),
                "providers": on,
                "off": off,
                "packages": list(planned.packages),
                "warnings": [*run.warnings, *planned.warnings],
                "config": redacted(run),
            }
        )
    elif quiet:
        for provider in on:
            console.row(provider["provider_id"])
    else:
        import yaml

        console.row(f"# {source.shown}")
        console.out(yaml.safe_dump(redacted(run), sort_keys=False, allow_unicode=True).rstrip("\n"))
