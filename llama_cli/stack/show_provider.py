"""Show what a provider is, needs and can be set to"""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet
from llama_cli.terminal import console
from llama_cli.terminal.progress import waiting
from runtime.similar import names_for, nearest, suggestion

if TYPE_CHECKING:
    from llama_cli.configs.every_spec import KnownSpec
    from runtime.spec import Spec

_SHOWN = (
    *("api", "provider_type", "summary", "aliases", "enabled_by", "key_env", "capabilities", "packages", "needs"),
    *("may_use", "default", "package"),
)
_WIDTH = len("turned on by")


def command(
    provider_type: Annotated[
        str, typer.Argument(metavar="TYPE", help="A provider's type, or its name: `remote::groq`, `groq`.")
    ],
    api: Annotated[str | None, typer.Option(metavar="API", help="Only the provider of this API.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show one provider: what it does and can, which variables and packages it needs, how it is proven, and every
    setting that its `config` in a run.yaml can have, with a block to copy.

    Providers of several APIs that share the type are all shown. With -q, only the names of the settings.

    Examples:
      llama stack show-provider remote::groq
      llama stack show-provider inline::meta-reference --json
    """
    with waiting(f"reading `{provider_type}`"):
        from llama_cli.configs.fields import config_fields, fields_in
        from llama_cli.configs.llama_names import llama_names
        from runtime.config.rendering import sample

        found = _found(provider_type, api)
        shown = [
            {name: _plain(getattr(spec, name)) for name in _SHOWN}
            | {"evidence": spec.evidence.proof, "evidence_note": spec.evidence.note}
            | {"llama_models": llama_names(spec)}
            | {"config": config_fields(spec) if settings is None else fields_in(settings), "sample": sample(spec)}
            for spec, _, settings in found
        ]
    if json:
        console.document(shown)
        return
    for known, provider in zip(found, shown, strict=True):
        if quiet:
            for setting in provider["config"]:
                console.row(setting["name"])
            continue
        _print_facts(known.spec)
        _print_settings(provider["config"])
        console.out(provider["sample"], end="")


def _found(provider_type: str, api: str | None) -> list[KnownSpec]:
    """Raises Failure (USAGE) with the nearest names where there is none."""
    from llama_cli.configs.every_spec import every_spec
    from runtime.discovery import built_in

    specs = every_spec()
    apis = sorted({*built_in().api_names, *(known.spec.api for known in specs)})
    if api is not None and api not in apis:
        raise Failure(f"there is no API `{api}`", hint=names_for(api, apis), code=ExitCode.USAGE)
    of_api = [known for known in specs if api in (None, known.spec.api)]
    found = [known for known in of_api if provider_type in (known.spec.provider_type, known.spec.name)]
    # Another API's older name for its own.
    found = found or [known for known in of_api if provider_type in known.spec.aliases]
    if not found:
        types = [known.spec.provider_type for known in of_api]
        raise Failure(
            f"there is no provider `{provider_type}`{f' of {api}' if api else ''}",
            hint=suggestion(nearest(provider_type, types)) or "`llama stack list-providers` lists them",
            code=ExitCode.USAGE,
        )
    return found


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value


def _print_facts(spec: Spec) -> None:
    from llama_cli.configs.provider_facts import provider_facts

    named = [("provider", spec.provider_type), ("api", spec.api), ("summary", spec.summary)]
    for name, value in named + provider_facts(spec):
        console.out(f"{name:{_WIDTH}}  {value}")
    console.out("")


def _print_settings(settings: list[dict[str, Any]]) -> None:
    """On a terminal each with its description below, wrapped; elsewhere one a line: what a person reads of a setting is
    mostly that.
    """
    from llama_cli.configs.scalars import on_one_line

    width = shutil.get_terminal_size((80, 24)).columns - 4
    for setting in settings:
        value = setting["default"]
        default = None if value is None else value if isinstance(value, str) else on_one_line(value)
        flags = [word for word in ("required", "secret") if setting[word]]
        if not console.is_terminal(sys.stdout):
            cells = (setting["name"], setting["type"], default or "", ", ".join(flags), setting["description"])
            console.row(*cells)
            continue
        left_out = [f"{default} when left out"] if default is not None else []
        console.out(f"{setting['name']}: {', '.join([setting['type'], *flags, *left_out])}")
        for line in textwrap.wrap(setting["description"], width):
            console.out(f"    {line}")
    console.out("")
