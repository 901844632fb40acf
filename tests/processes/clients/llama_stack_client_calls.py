"""What an application does with llama-stack's own client, told as JSON on standard output.

Run by an interpreter that has `llama-stack-client` and nothing of ours: `python FILE URL TEXT_MODEL EMBEDDING_MODEL`.
Serves the client of 0.7 and that of 0.2; where only one of them has a call, the other leaves it out.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

from llama_stack_client import APIStatusError, ConflictError, LlamaStackClient, NotFoundError


def main(url: str, text_model: str, embedding_model: str) -> dict[str, Any]:
    client = LlamaStackClient(base_url=url, max_retries=0, timeout=120)
    hello: Any = [{"role": "user", "content": "Hello"}]
    told: dict[str, Any] = {"client": version("llama-stack-client"), "python": sys.version.split()[0]}

    told["models"] = [model.to_dict() for model in client.models.list()]
    told["model"] = client.models.retrieve(text_model).to_dict()
    told["providers"] = [provider.to_dict() for provider in client.providers.list()]
    told["provider"] = client.providers.retrieve(told["providers"][0]["provider_id"]).to_dict()
    told["health"] = client.inspect.health().to_dict()
    told["version"] = client.inspect.version().to_dict()
    told["routes"] = [route.to_dict() for route in client.routes.list()]

    chat = client.chat.completions.create
    told["chat"] = chat(model=text_model, messages=hello, max_tokens=6, temperature=0).to_dict()
    stream = chat(model=text_model, messages=hello, max_tokens=6, temperature=0, stream=True)
    told["stream"] = [chunk.to_dict() for chunk in stream]
    told["completion"] = client.completions.create(model=text_model, prompt="One, two,", max_tokens=3).to_dict()
    told["embeddings"] = client.embeddings.create(model=embedding_model, input=["a", "b"]).to_dict()

    told["registered"] = _register(client, "own-name", text_model)
    told["chat_by_own_name"] = chat(model="own-name", messages=hello, max_tokens=2).to_dict()
    told["conflict"] = _refused(lambda: _register(client, "own-name", embedding_model), ConflictError)
    _unregister(client, "own-name")
    told["not_found"] = _refused(lambda: client.models.retrieve("own-name"), NotFoundError)
    return told


def _register(client: LlamaStackClient, name: str, model: str) -> Any:
    provider_id, _, provider_model_id = model.partition("/")
    body = {"model_id": name, "provider_id": provider_id, "provider_model_id": provider_model_id}
    if hasattr(client.models, "register"):
        return client.models.register(**body).to_dict()
    return client.post("/v1/models", body=body, cast_to=object)


def _unregister(client: LlamaStackClient, name: str) -> None:
    if hasattr(client.models, "unregister"):
        client.models.unregister(name)
    else:
        client.delete(f"/v1/models/{name}", cast_to=object)


def _refused(call: Any, expected: type[APIStatusError]) -> Any:
    try:
        return {"was": call()}
    except expected as error:
        return error.body


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
