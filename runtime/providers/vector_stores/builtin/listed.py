"""The model that is named, or else the first of a type."""

from __future__ import annotations

from runtime.apis.models import Model, ModelRequest, Models, ModelType, first_of_type
from runtime.errors import NotFound, RequestError

_CALLED: dict[ModelType, str] = {"llm": "chat", "rerank": "reranking"}
"""What a model of a type is called, where not as its type."""


async def model_of_type(models: Models, name: str | None, kind: ModelType, *, param: str) -> Model:
    """The model of this name; by default, the first of its type. param: the request's field, for errors.

    Raises RequestError if it is unknown or of another type, or if none is served.
    """
    called = _CALLED.get(kind, kind)
    name = name or await first_of_type(models, kind)
    if name is None:
        raise RequestError(
            f"No {called} model is served",
            hint="turn on a provider of inference that has one",
            param=param,
            code=f"no_{called}_model",
        )
    try:
        model = await models.get_model(ModelRequest(model_id=name))
    except NotFound as error:
        raise RequestError(error.message, hint=error.hint, param=param, code=f"unknown_{called}_model") from None
    if model.model_type != kind:
        other = await first_of_type(models, kind)
        raise RequestError(
            f"Model `{name}` is of type `{model.model_type}`, this needs `{kind}`",
            hint=f"of this type: `{other}`" if other else "none of this type is served: GET /v1/models lists all",
            param=param,
            code="model_type_mismatch",
        )
    return model
