"""The SDK's HTTP over our own connections, so that a failure is one of a request, not of its whole session.

The SDK ends a session whose connection fails while one request is made, with all other calls on it. So no failure gets
that far: it is noted in the request's `Trial`, and the SDK is given an answer that says the request has failed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec

from runtime.addresses import led_to, origin_of
from runtime.context import current, serving
from runtime.errors import StackError, UpstreamError, UpstreamRejected, UpstreamUnreachable
from runtime.http.bridge import cause_of, httpx2_transport
from runtime.http.client import HttpClient
from runtime.providers.connectors.builtin.identities import AskedAs
from runtime.providers.connectors.builtin.servers import Server
from runtime.providers.connectors.builtin.trial import ASKED, Trial

_REDIRECTED = (301, 302, 303, 307, 308)
_LAST_WORDS_S = 3.0
"""For telling a server that its session has ended."""
_FAILED = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"the request has failed"}}'


class Carrier(httpx2.AsyncBaseTransport):
    """http: a client for this server's connections, with the credentials. limit_bytes: of one JSON answer.
    answers_apart: whether answers come over another connection than the request's own, as with SSE.
    """

    def __init__(
        self, server: Server, asked_as: AskedAs, http: HttpClient, *, limit_bytes: int, answers_apart: bool
    ) -> None:
        self._server = server
        self._asked_as = asked_as
        self._inner = httpx2_transport(http.with_auth(asked_as.credentials), redirects=True)
        self._limit_bytes = limit_bytes
        self._answers_apart = answers_apart

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        trial = ASKED.get() or Trial()
        if request.method == "DELETE":
            request.extensions["timeout"] = {"connect": _LAST_WORDS_S, "read": _LAST_WORDS_S}
        elif trial.failure is not None and self._is_request(request):
            return self._failed(request, trial)  # the SDK tries other ways, none of which can help
        # What the server says of its own limits is no matter of our answer's.
        aside = msgspec.structs.replace(current(), headers={}, warnings=[])
        try:
            with serving(aside):
                response = await self._inner.handle_async_request(request)
        except StackError as error:  # of the credentials
            return self._failed(request, trial, error)
        except httpx2.TransportError as error:
            return self._failed(request, trial, self._in_its_words(cause_of(error)))
        if response.status_code in (401, 403):
            await response.aclose()
            return self._failed(request, trial, self._refused(response.status_code))
        if response.status_code in _REDIRECTED and (where := self._leads_away(request, response)) is not None:
            await response.aclose()
            return self._failed(request, trial, where)
        if response.status_code >= 400:
            trial.status = response.status_code
            if self._answers_apart and request.method == "POST":
                await response.aclose()
                return self._failed(request, trial, self._not_taken(response.status_code))
        assert isinstance(response.stream, httpx2.AsyncByteStream), "our transport's bodies are asynchronous"
        is_one = "json" in response.headers.get("content-type", "")
        response.stream = _Body(response.stream, trial, self._server, self._limit_bytes if is_one else None)
        return response

    def _in_its_words(self, error: StackError | None) -> StackError | None:
        """With a hint for whoever has named the server, which may not be the run config."""
        if error is not None and error.code == UpstreamUnreachable.code and not self._server.is_trusted:
            error.hint = "is it running, and is its address right?"
        return error

    def _is_request(self, request: httpx2.Request) -> bool:
        """Whether something waits for an answer: a notification goes out also after a failure."""
        return request.method == "POST" and b'"id"' in request.content

    def _failed(self, request: httpx2.Request, trial: Trial, error: StackError | None = None) -> httpx2.Response:
        if trial.failure is None:
            words = f"`{self._server.label}` cannot be asked"
            trial.note(error or UpstreamError(words, provider_id=self._server.label))
        if request.method == "POST" and self._answers_apart:
            if trial.abandon is not None:
                trial.abandon()
            return httpx2.Response(202, request=request)
        return httpx2.Response(502, headers={"content-type": "application/json"}, content=_FAILED, request=request)

    def _refused(self, status: int) -> UpstreamError:
        """A refusal of the caller's own credentials is passed on; that of this stack's is our failure."""
        label, asked_as = self._server.label, self._asked_as
        message = f"MCP server `{label}` answered {status}: it was asked {asked_as.words}"
        if not asked_as.credentials.is_callers:
            return UpstreamError(
                message,
                provider_id=label,
                upstream_status=status,
                code="upstream_refused_key",
                hint=f"check `identities.{asked_as.name}` in the run config",
            )
        hint = "give `authorization` in the request" if asked_as.name == "none" else None
        return UpstreamRejected(
            message, provider_id=label, upstream_status=status, code="mcp_server_refused", hint=hint
        )

    def _not_taken(self, status: int) -> UpstreamError:
        message = f"MCP server `{self._server.label}` answered {status} to a message"
        return UpstreamError(message, provider_id=self._server.label, upstream_status=status)

    def _leads_away(self, request: httpx2.Request, response: httpx2.Response) -> UpstreamError | None:
        """The error for a redirection to another server, which would get what was meant for this one, and for one to
        no address. The SDK follows those on the same server.
        """
        here, there = str(request.url), led_to(str(request.url), response.headers.get("location", ""))
        if there is not None and urlsplit(here)[:2] == urlsplit(there)[:2]:
            return None
        where = "what is no address" if there is None else f"`{origin_of(there)[:200]}`, another server"
        return UpstreamError(
            f"MCP server `{self._server.label}` leads on to {where}",
            provider_id=self._server.label,
            upstream_status=response.status_code,
            hint=None if there is None else "redirections to another server are not followed: give its address",
        )


class _Body(httpx2.AsyncByteStream):
    """An answer's body whose failures the SDK takes for the end of this answer only. limit_bytes: None for a stream,
    whose events are limited by the SDK.
    """

    def __init__(self, body: httpx2.AsyncByteStream, trial: Trial, server: Server, limit_bytes: int | None) -> None:
        self._body = body
        self._trial = trial
        self._label = server.label
        self._limit_bytes = limit_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for data in self._body:
                size += len(data)
                if self._limit_bytes is not None and size > self._limit_bytes:
                    raise UpstreamError(
                        f"`{self._label}` answered with more than {self._limit_bytes} bytes", provider_id=self._label
                    )
                yield data
        except (httpx2.TransportError, StackError) as error:
            failure: Any = cause_of(error)
            if failure is not None:
                self._trial.note(failure)
            raise httpx2.StreamError("the answer has failed") from None

    async def aclose(self) -> None:
        await self._body.aclose()
