"""Facts about a resource that one caller gives and everybody is shown: checked at the door to be JSON, since a value
that JSON does not have would spoil the list of all resources for every client.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


def _plain_json(given: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(given, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise PydanticCustomError("no_json", "holds what JSON does not have: {why}", {"why": str(error)}) from None
    return given


Metadata = Annotated[dict[str, Any], AfterValidator(_plain_json)]
"""Any JSON object. NaN, infinity and numbers of thousands of digits are a 400."""
