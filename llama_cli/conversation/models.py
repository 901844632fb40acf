"""Which model answers: the one that is named, else the first of its kind that the server lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from llama_cli.asking.ask import Refusal
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers.served import find, instead_of, served_models, unknown_model
from llama_cli.terminal import console

Kind = Literal["llm", "embedding"]

_DOES = {"llm": "to chat with", "embedding": "that makes embeddings"}


def default_model(url: str, kind: Kind) -> str:
    """The first of a kind. Raises Failure (UNHEALTHY) where there is none."""
    for model in of_kind(url, kind):
        return model
    hint = f"`llama stack status {url}` says what is wrong there, `llama stack env` which variables turn providers on"
    raise Failure(f"{url} serves no model {_DOES[kind]}", hint=hint, code=ExitCode.UNHEALTHY)


def of_kind(url: str, kind: Kind) -> list[str]:
    """All of a kind, the default one first. Raises Failure as `served_models` does."""
    return _only(served_models(url), kind)


def again_or_default(url: str, before: str | None) -> str:
    """The model that answered before, while the server has it; else the default one to chat with."""
    if before is not None:
        if find(before, of_kind(url, "llm")) is not None:
            return before
        console.say(f"`{before}` is not served here, so another model goes on")
    return default_model(url, "llm")


def chosen(url: str, name: str, kind: Kind) -> str:
    """The id of a kind that a name means. Raises Failure (USAGE) for one that is not served, or does something else."""
    models = served_models(url)
    found = find(name, models)
    if found is None:
        raise unknown_model(name, _only(models, kind))
    if models[found] != kind:
        message = f"`{found}` is of type `{models[found]}`, and no model {_DOES[kind]}"
        raise Failure(message, hint=instead_of(name, _only(models, kind)), code=ExitCode.USAGE)
    return found


def explained(failure: Failure, url: str, name: str, kind: Kind) -> Failure:
    """A failure of a request to a model of a kind; where the server does not know the model, or it is of another kind,
    it is the name that was wrong.
    """
    if isinstance(failure, Refusal) and (failure.status == 404 or failure.param == "model"):
        models = served_models(url)
        if find(name, _only(models, kind)) is None:
            failure.code = ExitCode.USAGE
            # A route is no help on a command line; what there is to choose from is.
            if failure.hint is None or "GET /v1/models" in failure.hint:
                failure.hint = instead_of(name, _only(models, kind))
    return failure


def _only(models: Mapping[str, str], kind: Kind) -> list[str]:
    return [model for model, its_kind in models.items() if its_kind == kind]
