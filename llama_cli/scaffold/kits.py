"""What can be generated, found by its folder: `templates/new-provider/<api>/<kind>/` with a `kit.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from llama_cli.exits import ExitCode, Failure
from runtime.config.template import find_templates_dir
from runtime.similar import names_for

FOLDER = "new-provider"
_FACTS = "kit.toml"


@dataclass(frozen=True, kw_only=True)
class Kit:
    """A provider that works, of one API and kind. folder: of its templates. summary: what it does. packages: what it
    imports beyond ours. has_address: it calls a server, which its config names.
    """

    api: str
    kind: str
    folder: Path
    summary: str
    packages: tuple[str, ...]
    has_address: bool


def kinds_by_api() -> dict[str, list[str]]:
    """The kinds that can be generated, `inline` before `remote`. Raises NotFound where no templates are installed."""
    found: dict[str, list[str]] = {}
    for facts in sorted((find_templates_dir() / FOLDER).glob(f"*/*/{_FACTS}")):
        found.setdefault(facts.parent.parent.name, []).append(facts.parent.name)
    return found


def kit_of(api: str, kind: str | None) -> Kit:
    """kind: None for the first. Raises Failure (USAGE) for an API, or a kind of it, that cannot be generated."""
    from runtime.discovery import built_in

    kinds = kinds_by_api()
    if api not in kinds:
        there_is = api in built_in().api_names
        message = f"a provider of `{api}` cannot be generated yet" if there_is else f"there is no API `{api}`"
        can_be = ", ".join(f"`{name}`" for name in kinds)
        near = None if there_is else names_for(api, kinds)
        raise Failure.of_option("--api", message, hint=near or f"those of {can_be} can be")
    if kind is not None and kind not in kinds[api]:
        hint = f"those that can be: {', '.join(f'`{one}`' for one in kinds[api])}"
        raise Failure.of_option("--kind", f"a {kind} provider of {api} cannot be generated yet", hint=hint)
    chosen = kind or kinds[api][0]
    folder = find_templates_dir() / FOLDER / api / chosen
    facts = tomllib.loads((folder / _FACTS).read_text(encoding="utf-8"))
    return Kit(
        api=api,
        kind=chosen,
        folder=folder,
        summary=str(facts["summary"]),
        packages=tuple(facts["packages"]),
        has_address=bool(facts["address"]),
    )


def check_type(kit: Kit, name: str) -> str:
    """The provider's type. Raises Failure (CONFLICT) for one that comes with us."""
    from runtime.discovery import built_in

    provider_type = f"{kit.kind}::{name}"
    if (kit.api, provider_type) in built_in().by_type:
        message = f"`{provider_type}` of {kit.api} is a provider that comes with us"
        hint = f"take another name, such as `my-{name}`: a package's provider takes the place of ours"
        raise Failure(message, hint=hint, code=ExitCode.CONFLICT)
    return provider_type
