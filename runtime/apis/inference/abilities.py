"""What a model's provider can do beyond what every provider can."""

from __future__ import annotations

from pydantic import Field

from runtime.apis._names import ResourceId
from runtime.apis._request import Request, Response


class AbilitiesRequest(Request):
    """Of which model."""

    model: ResourceId = Field(min_length=1, description="The model.")


class Abilities(Response):
    """What may be asked of it."""

    custom_tools: bool = Field(False, description="Whether it takes custom tools, which are called with text.")
    strict_functions: bool = Field(
        False, description="Whether a function's arguments match its schema where that is `strict`."
    )
