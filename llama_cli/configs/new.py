"""A run.yaml for a user to begin with: a template's, with a name, a model and a port of theirs. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_cli.configs.variables import variables_of
from llama_cli.exits import Failure
from runtime import discovery
from runtime.config import references
from runtime.config.choices import OWN_ENGINE
from runtime.config.home import NAME_HINT, is_distribution_name
from runtime.config.loading import parse_run_config, read_tree
from runtime.config.mentions import mentions
from runtime.config.rendering import render
from runtime.config.template import load_template, purposes
from runtime.stack.plan import plan


@dataclass(frozen=True, kw_only=True)
class NewConfig:
    """text: of the file. providers: as `{api, provider_type, variables}`, those that are off with what turns them on.
    needed: variables without which a server of it does not start.
    """

    text: str
    providers: tuple[dict[str, Any], ...]
    needed: tuple[str, ...]


def new_config(
    template: str,
    name: str,
    *,
    chosen: Mapping[str, list[str]],
    model: str | None,
    port: int | None,
    env: Mapping[str, str],
) -> NewConfig:
    """The run config, checked. chosen: provider types by API, in place of the template's; model: a path, or the name of
    one that comes with us.

    Raises NotFound, ConfigInvalid, and Failure (USAGE) for choices that do not fit.
    """
    checked_name(name)
    settings: dict[str, dict[str, str]] = {}
    if model is not None:
        from llama_cli.servers.choices import checked_model

        if not has_own_engine(template, chosen):
            message = f"`{template}` with these providers has no engine of ours, which would serve it"
            raise Failure.of_option("--model", message, hint=f"add `--providers inference={OWN_ENGINE}`")
        written = f"${{env.INFERENCE_MODEL:={checked_model(model)}}}"
        if references.find(written)[1]:
            message = f"the braces of `{model}` are not in pairs, so a run.yaml cannot hold it beside a variable"
            raise Failure.of_option("--model", message, hint="give a link to it that has none")
        settings = {OWN_ENGINE: {"model": written}}
    text = render(
        template, specs=discovery.built_in().specs, providers=chosen, name_override=name, settings=settings, port=port
    )
    run = parse_run_config(text, file=f"the run config of `{name}`", env=env, to_build=True)
    plan(run)
    on = [entry for entries in run.providers.values() for entry in entries]
    listed = [{"api": one.api, "provider_type": one.provider_type, "variables": []} for one in on]
    listed += [
        {"api": one.api, "provider_type": one.provider_type, "variables": list(one.enabled_by)} for one in run.off
    ]
    variables = variables_of(mentions(read_tree(text, env=env)), env, purposes=purposes(first=template))
    needed = tuple(variable.name for variable in variables if variable.state == "needed")
    return NewConfig(text=text, providers=tuple(listed), needed=needed)


def checked_name(name: str) -> str:
    """The name of a distribution. Raises Failure (USAGE) for one that it cannot have."""
    if not is_distribution_name(name):
        raise Failure.of_option("NAME", f"`{name}` cannot name a distribution", hint=NAME_HINT)
    return name


def has_own_engine(template: str, chosen: Mapping[str, list[str]]) -> bool:
    """Whether a template, with other providers for some APIs, runs models itself. Raises NotFound."""
    stated = [choice.provider_type for choice in load_template(template).providers.get("inference", ())]
    return OWN_ENGINE in chosen.get("inference", stated)
