"""Which models the stack serves, who owns each, and registering more."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field

from runtime.apis._api import Alias, Api, Empty, Request, Response, route
from runtime.apis._metadata import Metadata
from runtime.apis._names import ResourceId
from runtime.sse import Reply

ModelType = Literal["llm", "embedding", "rerank"]


class Model(Response):
    """A model as OpenAI's clients (id, created, owned_by), llama-stack's newer (custom_metadata) and older ones
    (identifier ...) read it.
    """

    id: str = Field(description="The name to ask for: `provider_id/provider_model_id`, or an alias.")
    object: Literal["model"] = "model"
    created: int = Field(description="When it was registered or first listed; seconds since 1970.")
    owned_by: str = Field(description="The provider that serves it.")
    custom_metadata: dict[str, Any]
    identifier: str
    provider_id: str
    provider_resource_id: str = Field(description="The provider's own name for it.")
    type: Literal["model"] = "model"
    model_type: ModelType
    metadata: dict[str, Any] = Field(default_factory=dict)


class ModelList(Response):
    object: Literal["list"] = "list"
    data: list[Model]


class ModelRequest(Request):
    model_id: ResourceId = Field(min_length=1)


class RegisterModelRequest(Request):
    """A model to serve, or another name for one."""

    model_id: ResourceId = Field(min_length=1, description="The name to ask for.")
    provider_model_id: ResourceId | None = Field(None, description="The provider's own name; by default the same.")
    provider_id: ResourceId | None = Field(
        None, description="The owner; may be left out while only one provider can serve it."
    )
    model_type: ModelType | None = Field(
        None, description="llm, embedding or rerank; by default what the provider says, else llm."
    )
    metadata: Metadata = Field(default_factory=dict, description="Facts such as embedding_dimension.")


class Models(Protocol):
    @route("GET", "/v1/models", aliases=("/v1/openai/v1/models",), returns=ModelList)
    async def list_models(self, request: Empty) -> ModelList | Reply:
        """Every model that can be asked for, of every provider that is up."""
        ...

    @route("GET", "/v1/models/{model_id:path}", aliases=("/v1/openai/v1/models/{model_id:path}",))
    async def get_model(self, request: ModelRequest) -> Model:
        """One model by its name or alias. 404 with close matches for an unknown one."""
        ...

    @route("POST", "/v1/models", aliases=(Alias(path="/v1/openai/v1/models"),))
    async def register_model(self, request: RegisterModelRequest) -> Model:
        """Register a model; it is still there after a restart. 409 when the name is another model's."""
        ...

    @route("DELETE", "/v1/models/{model_id:path}", aliases=("/v1/openai/v1/models/{model_id:path}",), status=204)
    async def unregister_model(self, request: ModelRequest) -> None:
        """Forget a registered model. 409 for one that its provider lists or the run config names."""
        ...


API = Api("models", Models, mounted_with=("inference",))
