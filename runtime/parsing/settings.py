"""Settings from JSON that are part of a request: `params` of a shield, `options` of a scoring function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from runtime.errors import RequestError
from runtime.invalid.in_json import wrong_in

M = TypeVar("M", bound=BaseModel)


def checked_settings(given: Mapping[str, Any], model: type[M], *, at: str = "params", param: str = "params") -> M:
    """Settings as their model has them. at: what the request calls them. param: its field. Raises RequestError for the
    first wrong one.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = wrong_in(given, error, model)[0]
        known = ", ".join(f"`{name}`" for name in model.model_fields)
        place = f"{at}.{wrong.place}" if wrong.place else at
        there_are = f"there are {known}" if known else "there are none"
        raise RequestError(f"`{place}`: {wrong.message}", hint=wrong.hint or there_are, param=param) from None
