"""As whom a server is asked, and what is sent with each request for that.

What a request brings for a server wins: its headers replace those of the same name, and with an `authorization` of its
own nothing of this stack's is sent. Knows no connection; `tokens.py` gets tokens that have to be asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from runtime.access import User
from runtime.addresses import keys_in
from runtime.apis.connectors.protocol import McpServer
from runtime.context import current
from runtime.errors import AccessDenied, AuthenticationError, RequestError, Unavailable
from runtime.http.network import sendable
from runtime.http.transport import Key, Outgoing
from runtime.providers.connectors.builtin.config import BearerToken, FixedHeaders, Identity, TokenExchange
from runtime.providers.connectors.builtin.servers import Server
from runtime.providers.connectors.builtin.tokens import Tokens
from runtime.providers.connectors.builtin.trial import ASKED

_NOT_A_CALLERS = ("host", "mcp-session-id", "mcp-protocol-version", "content-type", "accept", "last-event-id")
"""Headers of the protocol itself."""


class Credentials:
    """An `Auth` that renews: fixed headers, and a token of `tokens` where there is one.

    is_callers: whether a refusal is the caller's own matter.
    """

    hint = ""

    def __init__(self, headers: Mapping[str, str], *, tokens: Tokens | None, subject: str, is_callers: bool) -> None:
        self._headers = headers
        self._tokens = tokens
        self._subject = subject
        self.is_callers = is_callers

    async def apply(self, request: Outgoing) -> Outgoing:
        headers = dict(self._headers)
        if self._tokens is not None:
            headers = {"authorization": f"Bearer {await self._tokens.get(self._subject)}", **headers}
        if (trial := ASKED.get()) is not None:
            trial.secrets.update(_long((*_secrets(headers), *keys_in(request.url))))
        authorization = headers.get("authorization")
        key = None if authorization is None else Key(value=authorization, is_callers=self.is_callers)
        return request.with_headers(headers, key=key)

    async def renew(self, refused: Outgoing) -> bool:
        """Another token in the place of one that the server no longer accepts."""
        if self._tokens is None or refused.key is None or "authorization" in self._headers:
            return False
        token = refused.key.value.removeprefix("Bearer ")
        return await self._tokens.renewed(self._subject, token) != token


@dataclass(frozen=True, kw_only=True)
class AskedAs:
    """name: `none`, `caller`, `request`, or that of the run config. key: the same for those who can share a session."""

    name: str
    key: str
    credentials: Credentials

    @property
    def words(self) -> str:
        """For messages: as whom."""
        return {
            "none": "without credentials (identity `none`)",
            "caller": "with the caller's own token (identity `caller`)",
            "request": "with the credentials of the request",
        }.get(self.name, f"as identity `{self.name}` of the run config")


class Identities:
    """configured, tokens: by name."""

    def __init__(self, configured: Mapping[str, Identity], tokens: Mapping[str, Tokens], *, provider_id: str) -> None:
        self._configured = configured
        self._tokens = tokens
        self._provider_id = provider_id

    def of(self, server: Server, request: McpServer | None = None) -> AskedAs:
        """As whom the current request asks a server. request: what it brings for that.

        Raises AuthenticationError if the caller's token is needed and there is none, AccessDenied if it must not be
        sent there, RequestError for headers that cannot be sent, Unavailable for an identity that the run config does
        not have.
        """
        brought = self._brought(server, request)
        if "authorization" in brought:
            return _asked_as("request", brought, is_callers=True)
        if server.identity == "none":
            return _asked_as("request" if brought else "none", brought, is_callers=True)
        if server.identity == "caller":
            headers = {"authorization": f"Bearer {_callers_token(server)}", **brought}
            return _asked_as("caller", headers, is_callers=True)
        return self._of_the_stack(server, brought)

    def _of_the_stack(self, server: Server, brought: Mapping[str, str]) -> AskedAs:
        name = server.identity
        match self._configured.get(name):
            case BearerToken() as bearer:
                headers = {"authorization": f"Bearer {bearer.token.get_secret_value()}", **brought}
                return _asked_as(name, headers, is_callers=False)
            case FixedHeaders() as fixed:
                own = {header: value.get_secret_value() for header, value in fixed.headers.items()}
                return _asked_as(name, {**own, **brought}, is_callers=False)
            case TokenExchange():
                subject = _callers_token(server)
                return _asked_as(name, brought, tokens=self._tokens[name], subject=subject, is_callers=True)
            case None:
                known = ", ".join(f"`{one}`" for one in ("none", "caller", *self._configured))
                raise Unavailable(
                    f"MCP server `{server.label}` is asked as `{name}`, which the run config does not have",
                    hint=f"provider `{self._provider_id}` has the `identities` {known}",
                )
            case _:
                return _asked_as(name, brought, tokens=self._tokens[name], is_callers=False)

    def _brought(self, server: Server, request: McpServer | None) -> dict[str, str]:
        """The headers that a caller sends for a server, names in lower case."""
        headers: dict[str, str] = {}
        if server.url is None:
            return headers
        sent = current().provider_data.get("mcp_headers")
        if isinstance(sent, Mapping):
            for url, given in sent.items():
                if isinstance(url, str) and isinstance(given, Mapping) and _place(url) == _place(server.url):
                    headers |= _checked(given, "`mcp_headers` in X-LlamaStack-Provider-Data")
        if request is not None:
            headers |= _checked(request.headers, "`headers`")
            if request.authorization is not None:
                headers |= _checked({"authorization": f"Bearer {request.authorization}"}, "`authorization`")
        return headers


def _asked_as(
    name: str, headers: Mapping[str, str], *, is_callers: bool, tokens: Tokens | None = None, subject: str = ""
) -> AskedAs:
    digest = hashlib.sha256()
    for part in (name, subject, *(f"{header}: {value}" for header, value in sorted(headers.items()))):
        digest.update(f"{len(part)}:{part}".encode())
    credentials = Credentials(headers, tokens=tokens, subject=subject, is_callers=is_callers)
    return AskedAs(name=name, key=digest.hexdigest(), credentials=credentials)


def _callers_token(server: Server) -> str:
    """Not for a server that another user has named: whoever uses it would give that user a token of theirs."""
    user = current().user
    if server.registered_by is not None and (not isinstance(user, User) or user.principal != server.registered_by):
        raise AccessDenied(
            f"MCP server `{server.label}` was registered by another user, so your token is not sent to it",
            hint="give `authorization` in the request, or have the connector in the run config",
        )
    scheme, _, token = (current().header("authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthenticationError(
            f"MCP server `{server.label}` is asked with the caller's own token, and the request has none",
            hint="send `Authorization: Bearer TOKEN`",
        )
    return token.strip()


def _checked(given: Mapping[str, object], where: str) -> dict[str, str]:
    """Raises RequestError for headers that cannot be sent, without quoting a value."""
    try:
        headers = sendable({str(name): SecretStr(str(value)) for name, value in given.items()})
        for name in _NOT_A_CALLERS:
            if name in headers:
                raise ValueError(f"`{name}` cannot be set as a header")
    except ValueError as error:
        raise RequestError(f"{where}: {error}", param="headers") from None
    return {name: value.get_secret_value() for name, value in headers.items()}


def _place(url: str) -> tuple[str, str, str]:
    """What tells one server's address from another's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", "", url
    return parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/")


def _secrets(headers: Mapping[str, str]) -> Sequence[str]:
    """What must not be seen of headers: their values, and of those with a scheme what follows it."""
    return [part for value in headers.values() for part in (value, value.partition(" ")[2])]


def _long(secrets: Iterable[str]) -> Iterator[str]:
    """Without those that words may be."""
    return (secret for secret in secrets if len(secret) >= 6)
