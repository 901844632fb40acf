"""What only llama-stack's own client can ask: the stack about itself, names of one's own for models, kept chats in its
own form.

Where only newer or older versions have a call, the request behind it is made.
"""

from __future__ import annotations

from typing import Any

from driver import failure, serve
from of_openai import PACKAGE, SCENARIOS, client


def described(url: str, model: str) -> Any:
    at = client(url)
    providers = [provider.to_dict() for provider in at.providers.list()]
    return {
        "models": [each.to_dict() for each in at.models.list()],
        "model": at.models.retrieve(model).to_dict(),
        "providers": providers,
        "provider": at.providers.retrieve(providers[0]["provider_id"]).to_dict(),
        "health": at.inspect.health().to_dict(),
        "version": at.inspect.version().to_dict(),
        "routes": [route.to_dict() for route in at.routes.list()],
    }


def registered(url: str, model: str, other: str) -> Any:
    """A name for a model, taken a second time for another one, used, and removed."""
    told = {
        "registered": _register(url, model),
        "chat": SCENARIOS["chat"](url, "own-name", max_tokens=2)["text"],
        "conflict": failure(lambda: _register(url, other)),
    }
    models = client(url).models
    if hasattr(models, "unregister"):
        models.unregister("own-name")
    else:
        client(url).delete("/v1/models/own-name", cast_to=object)
    return {**told, "not_found": failure(lambda: models.retrieve("own-name"))}


def kept(url: str, model: str, text: str) -> Any:
    """A chat completion that was kept, in a list and by its id."""
    completions = client(url).chat.completions
    made = completions.create(model=model, messages=[{"role": "user", "content": text}], max_tokens=2)
    return {
        "id": made.id,
        "listed": [each.to_dict() for each in completions.list(limit=3, order="desc").data],
        "read": completions.retrieve(made.id).to_dict(),
    }


def _register(url: str, model: str) -> Any:
    provider_id, _, provider_model_id = model.partition("/")
    body = {"model_id": "own-name", "provider_id": provider_id, "provider_model_id": provider_model_id}
    if hasattr(client(url).models, "register"):
        return client(url).models.register(**body).to_dict()
    return client(url).post("/v1/models", body=body, cast_to=object)


if __name__ == "__main__":
    serve(PACKAGE, {**SCENARIOS, "described": described, "registered": registered, "kept": kept})
