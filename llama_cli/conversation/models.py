"""Which model answers: the one that is named, else the first of its kind that the server lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from llama_cli.asking.ask import Refusal
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers.ready import served_models
from llama_cli.terminal import console, words
from runtime.errors import did_you_mean

Kind = Literal["llm", "embedding"]

_SHOWN = 10
_DOES = {"llm": "to chat with", "embedding": "that makes embeddings"}


def default_model(url: str, kind: Kind) -> str:
    """The first of a kind. Raises Failure (UNHEALTHY) where there is none."""
    for model in of_kind(url, kind):
        return model
    hint = "turn a provider on; `llama stack run` says which variable does"
    raise Failure(f"{url} serves no model {_DOES[kind]}", hint=hint, code=ExitCode.UNHEALTHY)


def of_kind(url: str, kind: Kind) -> list[str]:
    """All of a kind, the default one first. Raises Failure as `served_models` does."""
    return [model for model, its_kind in served_models(url).items() if its_kind == kind]


def again_or_default(url: str, before: str | None) -> str:
    """The model that answered before, while the server has it; else the default one to chat with."""
    if before is not None:
        if find(before, served_models(url)) is not None:
            return before
        console.say(f"`{before}` is not served here, so another model goes on")
    return default_model(url, "llm")


def find(name: str, models: Mapping[str, str]) -> str | None:
    """The id that a name means, which may be that of its provider alone while only one has it."""
    fitting = [model for model in models if model.partition("/")[2] == name]
    return name if name in models else fitting[0] if len(fitting) == 1 else None


def unknown(name: str, models: Mapping[str, str]) -> Failure:
    """The failure that a name is which the server does not know."""
    return Failure(f"model `{name}` is not served", hint=instead_of(name, models), code=ExitCode.USAGE)


def instead_of(name: str, models: Mapping[str, str]) -> str:
    """The nearest names, or what else there is to choose from."""
    known = [f"`{model}`" for model in models]
    return did_you_mean(name, list(models)) or f"it serves {words.some(known, _SHOWN) or 'no model yet'}"


def explained(failure: Failure, url: str, name: str) -> Failure:
    """A failure of a request; where the server does not know the model, it is the name that was wrong."""
    if isinstance(failure, Refusal) and failure.status == 404:
        models = served_models(url)
        if find(name, models) is None:
            failure.code = ExitCode.USAGE
            # A route is no help on a command line; what there is to choose from is.
            if failure.hint is None or "GET /v1/models" in failure.hint:
                failure.hint = instead_of(name, models)
    return failure
