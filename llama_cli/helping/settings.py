"""The pages of the reference about what can be configured, from the models that check it: a run.yaml's keys, and each
API's providers with their settings.

Knows no key and no provider by name.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from llama_cli.configs.fields import config_fields, fields_of
from llama_cli.configs.provider_facts import provider_facts
from llama_cli.configs.scalars import on_one_line
from llama_cli.terminal.markdown_table import table
from runtime.apis._api import Store
from runtime.config.rendering import sample
from runtime.config.run_config import RunFile
from runtime.discovery import built_in
from runtime.spec import Spec
from runtime.stack.placing import every_store

_BACKENDS = "storage.backends.*."


def pages() -> dict[str, str]:
    """By path below `docs`."""
    world = built_in()
    served = {name: [spec for spec in world.specs if spec.api == name] for name in world.api_names}
    with_providers = {name: specs for name, specs in served.items() if specs}
    made = {"configuration.md": _configuration(list(with_providers))}
    return made | {f"providers/{name}.md": _providers(name, specs) for name, specs in with_providers.items()}


def _configuration(with_providers: list[str]) -> str:
    apis = built_in().load_apis()
    keys = fields_of(RunFile, entries=True)
    parts = [
        "# The keys of a run.yaml",
        "`llama stack init` writes a file to begin with, `llama stack validate FILE` says what is wrong with one.\n"
        "`[]` is each entry of a list, `*` a name of a mapping. `${env.X:=d}` may stand wherever a value does.",
        _keys([one for one in keys if not one["name"].startswith(_BACKENDS)]),
        "## Providers",
        "`providers` has a list for each API, and a provider's `config` the settings of its page: "
        + ", ".join(f"[{name}](providers/{name}.md)" for name in with_providers)
        + ".",
        "## Backends",
        "An entry of `storage.backends` has a `type`, and the keys of that type.",
    ]
    for one in keys:
        if one["name"] == f"{_BACKENDS}type":
            parts += [f"### {one['default']}", _keys(list(_of_backend(keys, one["default"])))]
    stores = {store.name: store for store in every_store(built_in())}
    rows = [
        (f"`{name}`", " or ".join(f"`{family}_`" for family in store.families), ", ".join(_ageing(store)))
        for name, store in sorted(stores.items())
    ]
    parts += ["## Stores", "What `storage.stores` places, and the kinds that `storage.retention` takes."]
    parts += [table(("store", "backend", "kinds"), rows), "## Registered resources"]
    for kind in sorted({api.configured for api in apis.values() if api.configured}, key=lambda one: one.config_key):
        parts += [f"### registered_resources.{kind.config_key}[]", *_model(kind.entry)]
    return "\n\n".join(parts) + "\n"


def _ageing(store: Store) -> tuple[str, ...]:
    return store.kinds if store.ages and "sql" in store.families else ()


def _of_backend(keys: list[dict[str, Any]], wanted: str) -> Iterator[dict[str, Any]]:
    """The keys of one type: each type's follow its `type`."""
    kind = ""
    for one in keys:
        name = one["name"].removeprefix(_BACKENDS)
        if name == "type":
            kind = one["default"]
        elif name != one["name"] and kind == wanted:
            yield {**one, "name": name}


def _providers(api: str, specs: list[Spec]) -> str:
    parts = [f"# Providers of {api}", f"`llama stack list-providers {api}` lists them, `show-provider` shows one."]
    for spec in sorted(specs, key=lambda one: one.provider_type):
        parts += [f"## {spec.provider_type}", spec.summary.rstrip(".") + ".", _facts(spec)]
        parts += [*_settings(config_fields(spec)), f"```yaml\n{textwrap.dedent(sample(spec)).rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _facts(spec: Spec) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in provider_facts(spec, "`{}`".format))


def _model(model: type[BaseModel]) -> list[str]:
    return _settings(fields_of(model, entries=True))


def _settings(fields: list[dict[str, Any]]) -> list[str]:
    return [_keys(fields)] if fields else ["It has no settings."]


def _keys(fields: list[dict[str, Any]]) -> str:
    return table(("key", "is", "default", ""), [_row(one) for one in fields])


def _row(field: dict[str, Any]) -> tuple[str, ...]:
    is_empty = field["default"] in (None, "", [], {})
    default = "required" if field["required"] else "" if is_empty else f"`{on_one_line(field['default'])}`"
    return f"`{field['name']}`", field["type"] + (", secret" if field["secret"] else ""), default, field["description"]
