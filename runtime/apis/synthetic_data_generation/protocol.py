"""The operation of the API `synthetic_data_generation`.

llama-stack has published its path, `dialogs`, `filtering_function` and `model`, and no server of its; what the filters
mean, and everything else, is ours.
"""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import route
from runtime.apis.synthetic_data_generation.answer import GenerateResponse
from runtime.apis.synthetic_data_generation.request import GenerateRequest
from runtime.errors import Conflict, NotSupported, Unavailable


class SyntheticDataGeneration(Protocol):
    @route(
        "POST",
        "/v1/synthetic-data-generation/generate",
        is_bulk=True,
        raises=(Conflict, NotSupported, Unavailable),
    )
    async def generate(self, request: GenerateRequest) -> GenerateResponse:
        """Make up rows of data, and keep those that are good and differ.

        It answers when all is done, which its provider's `timeout_s` bounds. 404 with close matches for an unknown
        model, scoring function or dataset.
        """
        ...
