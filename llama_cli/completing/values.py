"""The real values that can be completed, by kind: what lies on this disk, what runs here, what comes with us.

Asks no server and reads no YAML. Each function gives value -> what it is, in a few words.
"""

from __future__ import annotations

import os
from collections.abc import Callable

SHELLS = ("bash", "zsh", "fish", "powershell")


def templates() -> dict[str, str]:
    from runtime.config.template import template_summaries

    return {template.name: template.summary for template in template_summaries()}


def distributions() -> dict[str, str]:
    return templates() | built()


def built() -> dict[str, str]:
    from runtime.config.home import config_of, distributions_dir

    folder = distributions_dir()
    names = [each.name for each in folder.iterdir() if each.is_dir() and config_of(each)] if folder.is_dir() else []
    return dict.fromkeys(sorted(names), "built here")


def servers() -> dict[str, str]:
    from llama_cli.servers.records import ENDED, records

    return {
        record.id: " ".join(filter(None, (record.seen_state, record.url)))
        for record in records()
        if record.seen_state not in ENDED
    }


def states() -> dict[str, str]:
    """What one can wait for when a server starts."""
    return {
        "ready": "it answers",
        "settled": "each provider has come up or given up",
        **{f"model={model}": kind for model, kind in models().items()},
        **{f"provider={name}": what for name, what in provider_names().items()},
    }


def ends() -> dict[str, str]:
    return {"stopped": "it is gone"}


def models() -> dict[str, str]:
    """What servers said when they were asked last."""
    from llama_cli.servers.remembered import remembered_models

    return {model: kind for served in remembered_models().values() for model, kind in served.items()}


def known_models() -> dict[str, str]:
    """Those of the catalog, and what lies on this disk."""
    from llama_cli.weights.places import models_on_disk
    from runtime.catalog import models as released

    here = {model.name: "on this disk" for model in models_on_disk()}
    return here | {model.descriptor: model.family for model in released() if model.descriptor not in here}


def models_to_serve() -> dict[str, str]:
    from llama_cli.servers.choices import shipped_models
    from llama_cli.weights.places import models_on_disk

    here = {model.name: "on this disk" for model in models_on_disk() if model.state != "incomplete"}
    return dict.fromkeys(shipped_models(), "comes with us") | here


def apis() -> dict[str, str]:
    from runtime.discovery import api_summaries

    return {api.api: api.summary for api in api_summaries()}


def generated_apis() -> dict[str, str]:
    from llama_cli.scaffold.kits import kinds_by_api

    return {api: ", ".join(kinds) for api, kinds in kinds_by_api().items()}


def provider_types() -> dict[str, str]:
    from runtime.discovery import built_in

    return {spec.provider_type: spec.summary for spec in built_in().specs}


def provider_names() -> dict[str, str]:
    from runtime.discovery import built_in

    return {spec.name: spec.summary for spec in built_in().specs}


def providers_of_apis() -> dict[str, str]:
    """`inference=remote::ollama`."""
    from runtime.discovery import built_in

    return {f"{spec.api}={spec.provider_type}": spec.summary for spec in built_in().specs}


def variables() -> dict[str, str]:
    """Those that turn providers on or hold their keys, and whatever is set."""
    from runtime.discovery import built_in

    found: dict[str, str] = {}
    for spec in built_in().specs:
        for name in filter(None, (spec.enabled_by, spec.key_env)):
            found.setdefault(name, f"{'set' if os.environ.get(name) else 'not set'}; for {spec.provider_type}")
    return found | {name: "set" for name in sorted(os.environ) if name not in found}


def kept_kinds() -> dict[str, str]:
    """What servers keep and `storage prune` removes."""
    from runtime import discovery

    return dict.fromkeys(discovery.kept_kinds(), "")


def shells() -> dict[str, str]:
    return dict.fromkeys(SHELLS, "")


def clients() -> dict[str, str]:
    """The clients and coding tools that `connect` knows."""
    from llama_cli.clients._client import names

    return dict.fromkeys(names(), "")


def methods() -> dict[str, str]:
    return dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), "")


FINDERS: dict[str, Callable[[], dict[str, str]]] = {
    finder.__name__: finder
    for finder in (
        *(
            templates,
            distributions,
            built,
            servers,
            states,
            ends,
            models,
            known_models,
            models_to_serve,
            apis,
            generated_apis,
            provider_types,
        ),
        *(provider_names, providers_of_apis, variables, kept_kinds, shells, methods, clients),
    )
}
"""Kind -> what finds its values. `files`, `folders`, `programs` and `commands` are nobody's here: shells and the tree
know them.
"""
