"""What is judged: the text of a conversation's last message, for shields that read text alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from runtime.apis.safety.assessing import AssessRequest
from runtime.errors import RequestError
from runtime.invalid.in_json import wrong_in
from runtime.providers.safety._message_content import read_content

P = TypeVar("P", bound=BaseModel)


def text_to_judge(request: AssessRequest) -> str:
    """All the text of the last message, trimmed; empty where there is none. Raises RequestError for a part that is not
    text.
    """
    found = read_content(request.messages[-1])
    for kind in (*found.unread, *(["image_url"] if found.images else ())):
        raise RequestError(
            f"`messages[{len(request.messages) - 1}]` has a part of the type `{kind}`; this shield looks at text only",
            hint="leave it out, or ask a shield that can look at it",
            param="messages",
        )
    return found.text


def told(request: AssessRequest, model: type[P]) -> P:
    """What the shield and the request say in `params`. Raises RequestError for what is not one of them."""
    return check_params(request.told(), model)


def check_params(given: Mapping[str, Any], model: type[P]) -> P:
    """`params` as their model has them. Raises RequestError for the first wrong one."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = wrong_in(given, error, model)[0]
        known = ", ".join(f"`{name}`" for name in model.model_fields)
        place = f"params.{wrong.place}" if wrong.place else "params"
        raise RequestError(
            f"`{place}`: {wrong.message}", hint=wrong.hint or f"there are {known}", param="params"
        ) from None
