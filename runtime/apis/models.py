"""Which models the stack serves, who owns each, and registering more."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol, get_args

from pydantic import Field

from runtime.apis._api import Api, route
from runtime.apis._metadata import ResourceMetadata
from runtime.apis._names import ResourceId
from runtime.apis._price import PRICE_HINT, HasPrice
from runtime.apis._request import Empty, Registered, Request, Response, example
from runtime.apis._resources import Resource
from runtime.sse import Reply

ModelType = Literal["llm", "embedding", "rerank"]
MODEL_TYPES: tuple[str, ...] = get_args(ModelType)


class Model(Response):
    """A model as OpenAI's clients (id, created, owned_by), llama-stack's newer (custom_metadata) and older ones
    (identifier ...) read it.
    """

    id: str = Field(description="The name to ask for: `provider_id/provider_model_id`, or an alias.")
    object: Literal["model"] = "model"
    created: int = Field(description="When it was registered or first listed, in seconds since 1970.")
    owned_by: str = Field(description="The provider that serves it.")
    custom_metadata: dict[str, Any] = Field(
        description="The facts in `metadata`, and provider_id, provider_resource_id and model_type."
    )
    identifier: str = Field(description="The same as `id`.")
    provider_id: str = Field(description="The same as `owned_by`.")
    provider_resource_id: str = Field(description="The provider's own name for it.")
    type: Literal["model"] = "model"
    model_type: ModelType = Field(description="llm, embedding or rerank.")
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Facts such as embedding_dimension. Default: none."
    )


class ModelList(Response):
    """The models of this stack."""

    object: Literal["list"] = "list"
    data: list[Model] = Field(description="Every model that can be asked for.")


class ModelRequest(Request):
    """Which model."""

    model_id: ResourceId = Field(min_length=1, description="Its id, or an alias.")


class RegisterModelRequest(Request):
    """A model to serve, or another name for one."""

    model_config = example(
        model_id="gpt-4o-mini", provider_id="meta-reference", provider_model_id="SmolLM2-135M-Instruct"
    )

    model_id: ResourceId = Field(min_length=1, description="The name to ask for.")
    provider_model_id: ResourceId | None = Field(
        None, description="The provider's own name. Default: the same as `model_id`."
    )
    provider_id: ResourceId | None = Field(
        None, description="The provider that serves it. Default: the only one that can."
    )
    model_type: ModelType | None = Field(
        None, description="llm, embedding or rerank. Default: what the provider says, else llm."
    )
    metadata: Annotated[ResourceMetadata, HasPrice] = Field(
        default_factory=dict,
        description=f"Facts such as embedding_dimension or {PRICE_HINT}; at most 65,536 characters as JSON. "
        "Default: none.",
    )


class ConfiguredModel(RegisterModelRequest):
    """A model that the run config names."""

    provider_id: ResourceId | None = Field(
        None,
        description="The owner; `all` is the first that is on. Default: the one provider that serves models.",
    )
    provider_model_id: ResourceId | None = Field(
        None, description="The provider's own name; by default the same. `auto`: the first of its type that it lists."
    )
    model_type: ModelType = Field("llm", description="llm, embedding or rerank. Default llm.")
    model_validation: bool | None = Field(
        None, description="Whether to serve it only while its provider lists it. Default false."
    )
    metadata: Annotated[dict[str, Any], HasPrice] = Field(
        default_factory=dict, description=f"Facts such as embedding_dimension or {PRICE_HINT}. Default empty."
    )


class Models(Protocol):
    @route("GET", "/v1/models", aliases=("/v1/openai/v1/models",), registry="list", returns=ModelList)
    async def list_models(self, request: Empty) -> ModelList | Reply:
        """Every model that can be asked for, of every provider that is up."""
        ...

    @route("GET", "/v1/models/{model_id:path}", aliases=("/v1/openai/v1/models/{model_id:path}",), registry="get")
    async def get_model(self, request: ModelRequest) -> Model:
        """One model by its name or alias. 404 with close matches for an unknown one."""
        ...

    @route("POST", "/v1/models", aliases=("/v1/openai/v1/models",), registry="register")
    async def register_model(self, request: RegisterModelRequest) -> Model:
        """Register a model; it is still there after a restart. 409 when the name is another model's."""
        ...

    @route(
        "DELETE",
        "/v1/models/{model_id:path}",
        aliases=("/v1/openai/v1/models/{model_id:path}",),
        registry="remove",
        status=204,
    )
    async def unregister_model(self, request: ModelRequest) -> None:
        """Forget a registered model. 409 for one that its provider lists or the run config names."""
        ...


async def first_of_type(models: Models, kind: ModelType) -> str | None:
    """The id of the first model of a type that the caller sees; None if there is none."""
    listed = await models.list_models(Empty())
    entries = listed.value()["data"] if isinstance(listed, Reply) else [one.model_dump() for one in listed.data]
    return next((str(one["id"]) for one in entries if one["model_type"] == kind), None)


def _answer(model: Registered) -> Model:
    return Model(**fields_of(model))


def fields_of(model: Registered) -> dict[str, Any]:
    """The fields of a `Model`, for whoever writes thousands of them."""
    kind = model.kind if model.kind in MODEL_TYPES else "llm"
    facts = {"provider_id": model.provider_id, "provider_resource_id": model.provider_resource_id, "model_type": kind}
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.provider_id,
        "custom_metadata": {**facts, **model.metadata},
        "identifier": model.id,
        "type": "model",
        "metadata": dict(model.metadata),
        **facts,
    }


MODEL = Resource(
    kind="model",
    served_by="inference",
    id_field="model_id",
    config_key="models",
    older_keys=("default_models",),
    configured=ConfiguredModel,
    answer=_answer,
    has_aliases=True,
)
API = Api("models", Models, resource=MODEL, mounted_with=("inference",))
