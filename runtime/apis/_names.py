"""Names that requests ask by: of models, providers and whatever else is registered, and addresses of servers, in
requests and in settings. Bounded at the door, so that nothing behind it searches for megabytes.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from runtime.similar import LONGEST_NAME

ResourceId = Annotated[str, Field(max_length=LONGEST_NAME)]
"""A name in a request."""
NamedResource = Annotated[ResourceId, Field(min_length=1)]
"""One that stands for something by itself, such as each of a list."""


def _of_a_server(given: str) -> str:
    try:
        parts = urlsplit(given)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, a port that is no number
        is_address = False
    if not is_address:
        raise PydanticCustomError("server_address", "must be an address that begins with `https://` or `http://`")
    return given


ServerAddress = Annotated[str, Field(max_length=4096), AfterValidator(_of_a_server)]
"""Where a server is, over HTTP."""


def _without_user(given: str) -> str:
    if urlsplit(given).username is not None:
        raise PydanticCustomError("server_user", "must be an address without user and password, which is never asked")
    return given


AskedAddress = Annotated[ServerAddress, AfterValidator(_without_user)]
"""Where a server is that users name too: one with user and password would be refused whenever it is asked."""
