"""What is judged: the text of a conversation's last message, for shields that read text alone."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from runtime.apis.safety.assessing import AssessRequest
from runtime.errors import RequestError
from runtime.parsing.settings import checked_settings
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
    return checked_settings(request.told(), model)
