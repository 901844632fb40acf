"""Addresses in a request that a cloud reads with the credentials that the request is sent with: objects in buckets.

A caller without a key of their own would have this server's credentials read whatever these may. So such addresses are
refused, but for those that the config lets callers name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field

from runtime.errors import AccessDenied
from runtime.http.keys import ProviderKeys
from runtime.sse import Json

_BUCKETS = ("s3://", "gs://")
_MEMBERS = ("uri", "fileUri")
"""What Bedrock and Google call an address in a request."""

ReadableAddresses = Annotated[
    list[str],
    Field(
        description="Beginnings of addresses, such as `s3://bucket/folder/` or `gs://bucket/folder/`, of objects that"
        " callers may name in a request, to be read with the credentials of this server. A caller with a key of their"
        " own may name any. Default: none."
    ),
]


def check_readable(body: Json, *, allowed: Sequence[str], keys: ProviderKeys) -> None:
    """body: as it will be sent. Raises AccessDenied for an address that the caller may not have read."""
    for address in _addresses(body):
        is_plain = ".." not in address.split("/")
        if is_plain and any(one and address.startswith(one) for one in allowed):
            continue
        if (key := keys.get()) is not None and key.is_callers:
            return
        raise AccessDenied(
            f"`{keys.provider_id}` would read `{address[:200]}` with the credentials of this server",
            hint="send the content itself, or a key of your own; `readable_addresses` in the provider's config allows"
            " addresses",
            param="messages",
        )


def _addresses(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _MEMBERS and isinstance(inner, str) and inner.strip().lower().startswith(_BUCKETS):
                yield inner.strip()
            else:
                yield from _addresses(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _addresses(inner)
