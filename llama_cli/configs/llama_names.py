"""What providers call the Llama models, for people who know a model and look for a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llama_cli.exits import ExitCode, Failure

if TYPE_CHECKING:
    from runtime.spec import Spec


def llama_names(spec: Spec) -> list[dict[str, str]]:
    """The Llama models that a provider of inference has by the catalogue, each with its name there."""
    from runtime.catalog import names_at

    if spec.api != "inference" or spec.kind != "remote":
        return []
    return [
        {"model_id": model_id, "name": called.name, "remark": called.remark}
        for model_id, called in names_at(spec.name).items()
    ]


def with_remark(one: dict[str, str], quoted: Callable[[str], str] = str) -> str:
    """The name of one of them at its provider, with what is known about it there."""
    from runtime.catalog import VendorName

    return str(VendorName(name=quoted(one["name"]), remark=one["remark"]))


def canonical_id(model: str) -> str:
    """The canonical id of a Llama model, of any of its names. Raises Failure (USAGE) with the nearest ones."""
    from runtime.catalog import find, known_names
    from runtime.similar import did_you_mean

    if (known := find(model)) is None:
        hint = did_you_mean(model, known_names()) or "`llama model list --all` lists them"
        raise Failure(f"no Llama model is called `{model}`", hint=hint, code=ExitCode.USAGE)
    return known.model_id
