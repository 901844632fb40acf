"""Addresses that are what they lead to: `data:text/plain,Hello%20there` and `data:image/png;base64,...`, RFC 2397."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from runtime.errors import RequestError, TooLarge

_BEGINNING = "data:"
_DATA = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)


@dataclass(frozen=True)
class Data:
    """content_type: without parameters; empty where the address does not say it."""

    content: bytes
    content_type: str


def is_data_address(text: str) -> bool:
    return text[: len(_BEGINNING)].lower() == _BEGINNING


def read_data_address(address: str, *, limit_bytes: int) -> Data:
    """What a `data:` address says. Raises RequestError for one that says nothing, and TooLarge."""
    found = _DATA.match(address)
    if found is None:
        raise RequestError(
            "it is no `data:` address", hint="as in `data:text/plain,Hello` or `data:image/png;base64,...`",
            code="invalid_address",
        )  # fmt: skip
    content = unquote_to_bytes(address[found.end() :])
    if _is_base64(found):
        content = decoded(content, "its `data:` address", limit_bytes=limit_bytes)
    if len(content) > limit_bytes:
        raise TooLarge(f"it has more than {limit_bytes} bytes", code="document_over_limit")
    return Data(content, found[1].strip().lower())


def decoded(text: str | bytes, what: str, *, limit_bytes: int) -> bytes:
    """The bytes of a text in base64. what: the text, for messages. Raises RequestError, TooLarge."""
    if len(text) > limit_bytes * 4 // 3 + 4:
        raise TooLarge(f"it has more than {limit_bytes} bytes", code="document_over_limit")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(f"{what} is no base64", code="invalid_address") from None


def in_base64(address: str) -> str:
    """The same in base64, for whoever reads no other `data:` address; any other address as it is."""
    found = _DATA.match(address)
    if found is None or _is_base64(found):
        return address
    content = base64.b64encode(unquote_to_bytes(address[found.end() :])).decode()
    return f"{address[: found.end() - 1]};base64,{content}"


def _is_base64(found: re.Match[str]) -> bool:
    return any(one.strip() == "base64" for one in found[2].lower().split(";"))
