"""Loading and unloading a model that runs here, by its name. The paths beside ours are those of llama.cpp's router,
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md.
"""

from __future__ import annotations

from pydantic import Field

from runtime.apis._names import ResourceId
from runtime.apis._request import Request, Response, example

_MODEL = Field(min_length=1, description="The model: `provider_id/provider_model_id`, or an alias.")


class LoadModelRequest(Request):
    """Which model to load."""

    model_config = example(model="meta-reference/SmolLM2-135M-Instruct", keep_alive="1h")

    model: ResourceId = _MODEL
    keep_alive: float | str | None = Field(
        None,
        description="How long it stays without requests, in seconds or as in `10m`; -1 for ever. Default: as its"
        " provider is configured.",
    )


class UnloadModelRequest(Request):
    """Which model to unload."""

    model_config = example(model="meta-reference/SmolLM2-135M-Instruct")

    model: ResourceId = _MODEL


class ModelChanged(Response):
    """The model is as it was asked for."""

    success: bool = Field(True, description="Always true: what does not succeed is an error.")
