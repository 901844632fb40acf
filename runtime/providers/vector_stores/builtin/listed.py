"""Which models are served, for whoever takes the first of a kind."""

from __future__ import annotations

from runtime.apis._request import Empty
from runtime.apis.models import Models, ModelType
from runtime.sse import Reply


async def first_of_type(models: Models, kind: ModelType) -> str | None:
    """The id of the first model of a type that the caller sees; None if there is none."""
    listed = await models.list_models(Empty())
    entries = listed.value()["data"] if isinstance(listed, Reply) else [one.model_dump() for one in listed.data]
    return next((str(one["id"]) for one in entries if one["model_type"] == kind), None)
