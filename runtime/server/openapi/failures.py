"""Which errors an operation can answer with, and how a document describes them.

An error's class says its status; what a vendor refuses with another status is `4XX`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from runtime.errors import (
    AccessDenied,
    AuthenticationError,
    Conflict,
    HeadTooLarge,
    NotFound,
    NotSupported,
    RangeNotSatisfiable,
    RateLimited,
    RequestError,
    StackError,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
    UpstreamError,
    UpstreamRejected,
    UpstreamTimeout,
)
from runtime.server.openapi.mounted import Mounted

WHEN: Mapping[type[StackError], str] = MappingProxyType(
    {
        RequestError: "The request is wrong. `param` names the first wrong field; the message names all.",
        AuthenticationError: "A key is missing, or is not valid. The message says which, and how to send it.",
        AccessDenied: "The host name or the web page that sent the request may not use this server.",
        NotFound: "Nothing has this name. The message has similar names.",
        Conflict: "The name is taken, or what it names may not be changed.",
        TooLarge: "The body is larger than this route accepts.",
        UnsupportedMedia: "The body's content type, character encoding or compression is not accepted.",
        RangeNotSatisfiable: "The range begins after the end of the file.",
        RateLimited: "Too many requests at a time. `retry-after` says when to send it again, where that is known.",
        HeadTooLarge: "The request's line and headers are too large.",
        UpstreamRejected: "The provider refused the request: its own status, message, type and code are passed on.",
        StackError: "The server failed. Its log has the reason under the request's id.",
        NotSupported: "The provider does not offer this operation, or a field of the request.",
        UpstreamError: "The provider failed, or its answer makes no sense.",
        Unavailable: "The provider or the server does not answer at present; the message has the reason.",
        UpstreamTimeout: "The provider did not answer in time.",
    }
)
"""Every error that an answer can have, in the order of its status, with the reason."""


def status_of(error: type[StackError]) -> str:
    """Its status, as a key of `responses`."""
    return "4XX" if error is UpstreamRejected else str(error.status)


def failures(mounted: Mounted) -> list[type[StackError]]:
    """The errors that an operation can answer with, in the order of `WHEN`."""
    found = set(_failures(mounted)) | set(mounted.operation.route.raises)
    return [error for error in WHEN if error in found]


def _failures(mounted: Mounted) -> Iterator[type[StackError]]:
    route, behind = mounted.operation.route, mounted.behind
    yield from (RequestError, AccessDenied, HeadTooLarge, StackError, Unavailable)
    if route.has_body:
        yield from (TooLarge, UnsupportedMedia)
    if route.key or route.path_fields:
        yield NotFound
    if route.registry in ("register", "remove"):
        yield Conflict
    if mounted.results.is_file:
        yield RangeNotSatisfiable
    if behind and behind.is_chosen:
        yield from (NotSupported, RateLimited)
    if behind and behind.asks_others:
        yield from (AuthenticationError, UpstreamRejected, UpstreamError, UpstreamTimeout)
