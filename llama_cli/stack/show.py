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

    from llama_cli.packages.target import read_target
    from runtime.config.run_config import redacted
    from runtime.stack.plan import plan

    found = read_target(target, os.environ)
    planned = plan(found.run, file=found.source)
    on = [
        {"api": provider.api, "provider_id": provider.provider_id, "provider_type": provider.spec.provider_type}
        for provider in planned.providers
    ]
    off = [
        {"api": provider.api, "provider_type": provider.provider_type, "variables": list(provider.enabled_by)}
        for provider in planned.off
    ]
    for warning in (*found.run.warnings, *planned.warnings):
        console.warn(warning)
    if json:
        console.document(
            {
                "name": found.run.distro_name,
                "source": found.source,
                "apis": list(planned.apis),
                "providers": on,
                "off": off,
                "packages": list(planned.packages),
                "warnings": [*found.run.warnings, *planned.warnings],
                "config": redacted(found.run),
            }
        )
    elif quiet:
        for provider in on:
            console.row(provider["provider_id"])
    else:
        import yaml

        console.row(f"# {found.source}")
        console.out(yaml.safe_dump(redacted(found.run), sort_keys=False, allow_unicode=True).rstrip("\n"))
