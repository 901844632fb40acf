"""Fields that items of several kinds have."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.similar import LONGEST_NAME

ItemStatus = Literal["in_progress", "completed", "incomplete"]
ID = Field(max_length=LONGEST_NAME, description="The item's id. By default, it gets one.")
STATUS = Field(description="How far it is: `in_progress`, `completed` or `incomplete`. Default: `completed`.")
