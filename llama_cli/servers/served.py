"""What a server serves: its models, and which of them a name means. Starts nothing, prints nothing."""

from __future__ import annotations

from collections.abc import Collection

from llama_cli.asking import ask
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers.remembered import remember_models
from llama_cli.terminal import words
from runtime.similar import did_you_mean

_SHOWN = 10


def served_models(url: str, *, timeout_s: float = 10.0, remember: bool = True) -> dict[str, str]:
    """The types of what a server serves by id, in its order. remember: for completion. Raises Failure as `ask.listed`
    does.
    """
    kinds = {}
    for model in ask.listed(url, "/v1/models", by="id", timeout_s=timeout_s):
        stated = model.get("custom_metadata")
        older = stated.get("model_type") if isinstance(stated, dict) else None
        kinds[model["id"]] = str(model.get("model_type") or older or "llm")
    if remember:
        remember_models(url, kinds)
    return kinds


def find(name: str, models: Collection[str]) -> str | None:
    """The id that a name means, which may be that of its provider alone while only one has it."""
    fitting = [model for model in models if model.partition("/")[2] == name]
    return name if name in models else fitting[0] if len(fitting) == 1 else None


def unknown_model(name: str, models: Collection[str]) -> Failure:
    """The failure that a name is which the server does not know."""
    return Failure(f"model `{name}` is not served", hint=instead_of(name, models), code=ExitCode.USAGE)


def instead_of(name: str, models: Collection[str]) -> str:
    """The nearest names, or what else there is to choose from."""
    known = [f"`{model}`" for model in models]
    return did_you_mean(name, list(models)) or f"it serves {words.some(known, _SHOWN) or 'no model yet'}"
