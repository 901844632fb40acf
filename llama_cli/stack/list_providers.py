"""List the providers a stack can be made of."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llama_cli.configs.llama_names import canonical_id, llama_names, with_remark
from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Wide
from llama_cli.terminal import console
from llama_cli.terminal.tables import Column, listing

_SHOWN = (
    *("api", "provider_type", "aliases", "kind", "summary", "enabled_by", "key_env", "capabilities"),
    *("needs", "may_use", "packages", "package"),
)
_BRIEFLY = {
    "chat": "chat",
    "tools": "tools",
    "json_schema": "schema",
    "completions": "text",
    "embeddings": "embed",
    "rerank": "rerank",
}
"""A capability that the table shows, and its word there. `json_object` comes with `json_schema` nearly always."""


def command(
    api: Annotated[str | None, typer.Argument(help="Only the providers of this API.")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="MODEL", help="Only those that have this Llama model, with its name there."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """List the providers a stack can be made of, of all APIs or of one.

    A provider of a template is on where its variable is set. `can` is what its service has. `evidence` says how it is
    proven: live (the real component), wire (a local server in the vendor's shape) or unproven. Providers from other
    packages are listed with the distributions that were built with them.

    Examples:
      llama stack list-providers inference
      llama stack list-providers --model Llama3.3-70B-Instruct
      llama stack list-providers --json
    """
    from llama_cli.configs.every_spec import every_spec, external_notes
    from runtime.discovery import built_in
    from runtime.similar import names_for

    specs = every_spec()
    apis = sorted({*built_in().api_names, *(known.spec.api for known in specs)})
    if api is not None and api not in apis:
        raise Failure(f"there is no API `{api}`", hint=names_for(api, apis), code=ExitCode.USAGE)
    wanted = canonical_id(model) if model is not None else None
    for note in external_notes():
        console.warn(note)
    rows = [
        {name: _value(getattr(spec, name)) for name in _SHOWN}
        | {"evidence": spec.evidence.proof, "evidence_note": spec.evidence.note, "distributions": list(names)}
        | {"llama_models": llama_names(spec)}
        for spec, names, _ in specs
        if api in (None, spec.api)
    ]
    if wanted is not None:
        rows = [row for row in rows if _its_name(row["llama_models"], wanted)]
    columns = [
        Column("api", "API", groups=True),
        Column("provider_type", "Provider type"),
        *([Column("llama_models", "Its name", show=lambda names: _its_name(names, wanted))] if wanted else []),
        Column("enabled_by", "Turned on by", spare=1),
        Column("summary", "Summary", gives_way=True),
        Column("evidence", "Evidence", spare=1),
        Column("capabilities", "Can", show=_briefly, spare=1),
        Column("packages", "Packages", gives_way=True, spare=1),
        Column("distributions", "Only in", spare=1),
    ]
    listing(
        rows,
        columns,
        name="provider_type",
        wide=wide,
        empty=f"no provider is known to have `{wanted}`" if wanted else "no providers",
    )


def _its_name(models: list[dict[str, str]], wanted: str) -> str:
    """With what is known about it; empty where the provider does not have the model."""
    return next((with_remark(one) for one in models if one["model_id"] == wanted), "")


def _value(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def _briefly(capabilities: list[str]) -> str:
    return " ".join(word for name, word in _BRIEFLY.items() if name in capabilities)
