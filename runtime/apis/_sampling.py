"""Fields of requests that say how tokens are drawn, the same at every door."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Temperature = Annotated[
    float | None,
    Field(ge=0, le=2, description="0 takes the likeliest token each time. Default: the provider's, usually 1."),
]
TopP = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description="Choose among the likeliest tokens that have this share of the probability together; 0 keeps the"
        " likeliest alone. Default: the provider's, usually 1.",
    ),
]
