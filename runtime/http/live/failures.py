"""Converts failures below HTTP to our own errors."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping

import aiohttp

from runtime.addresses import Proxy
from runtime.errors import Unavailable, UpstreamError
from runtime.http.refusals import UNREACHABLE_HINT, Call

_OUR_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Why this machine opens no connection, whatever the server does."""
_NOT_IN_HEADERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def transport_error(
    call: Call, error: Exception, proxy: Proxy, headers: Mapping[str, str] | None = None
) -> UpstreamError:
    """The error for a call that aiohttp has ended. headers: of a request that was not yet sent."""
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno in _OUR_SHORTAGES:
        failure = call.failed(
            f"cannot be called, since this server cannot open a connection: {_words(error.os_error)}",
            code="no_free_connection",
            hint="raise its limit of open files (`ulimit -n`), or set `network.limits.max_connections` in the config",
        )
        failure.status = Unavailable.status
        return failure
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        words = error.message if isinstance(error, aiohttp.ClientHttpProxyError) else _words(error.os_error)
        return proxy_error(call, proxy, words)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientConnectionResetError) or (
        isinstance(error, aiohttp.ClientOSError) and not isinstance(error, aiohttp.ClientConnectorError)
    ):
        return call.failed(
            f"closed the connection before it answered ({call.place})",
            hint="it may have processed the request; send it again if that does no harm",
        )
    if isinstance(error, aiohttp.ClientResponseError):
        return call.failed(f"sent an answer that is not HTTP ({call.place}): {call.quoted(_words_of(error))}")
    if isinstance(error, aiohttp.ClientPayloadError):
        return call.broke_off()
    invalid = next((name for name, value in (headers or {}).items() if _NOT_IN_HEADERS.search(value)), None)
    if invalid is not None and not isinstance(error, aiohttp.ClientError):
        return call.failed(
            f"cannot be called: the header `{invalid}` contains a special character, such as a line break"
        )
    hint = UNREACHABLE_HINT
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError) or not isinstance(
        error, aiohttp.ClientError
    ):
        words = "that is not the address of a server"
        hint = "an address begins with `http://` or `https://`, as in `http://localhost:8000/v1`"
    elif isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        return call.unreachable(_words(error.os_error))
    else:
        words = str(error) or type(error).__name__
    return call.failed(f"cannot be reached at {call.place}: {words}", code="upstream_unreachable", hint=hint)


def was_not_sent(error: Exception) -> bool:
    """Whether the connection was already closed when the first byte of the request was to be written."""
    return isinstance(error, aiohttp.ClientConnectionResetError) or isinstance(
        error.__cause__, aiohttp.ClientConnectionResetError
    )


def shown(proxy: Proxy) -> str:
    """A proxy for messages, without its password; empty for none."""
    return proxy.shown if proxy.url else ""


def proxy_error(call: Call, proxy: Proxy, words: str) -> UpstreamError:
    return call.failed(
        f"cannot be reached: the proxy {proxy.shown} failed: {words}",
        code="proxy_failed",
        hint="is the proxy right? servers that need none are listed in `NO_PROXY` or `network.proxy.no_proxy`",
    )


def _words_of(error: aiohttp.ClientResponseError) -> bytes:
    return error.message.encode("utf-8", "replace")


def _words(error: OSError) -> str:
    """The system's own text for an error; in its place, asyncio writes an address and a port."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
