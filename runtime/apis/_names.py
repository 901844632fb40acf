"""Names that requests ask by: of models, providers and whatever else is registered. Bounded at the door, so that
nothing behind it searches for megabytes.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runtime.errors import LONGEST_NAME

ResourceId = Annotated[str, Field(max_length=LONGEST_NAME)]
"""A name in a request."""
