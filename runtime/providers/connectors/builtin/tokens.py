"""Tokens from a token endpoint: this stack's own (RFC 6749, 4.4), or in exchange for a caller's (RFC 8693)."""

from __future__ import annotations

import base64
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from runtime.errors import AuthenticationError, UpstreamError, UpstreamRejected, UpstreamTimeout, UpstreamUnreachable
from runtime.http.client import HttpClient
from runtime.http.oauth import FORM
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from runtime.providers.connectors.builtin.config import ClientCredentials, TokenExchange
from runtime.rounds import Rounds

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_USUAL_S = 300.0
"""How long a token is used whose endpoint does not say when it expires."""
_MARGIN_S = 30.0
"""How long before its end it is replaced."""
_MOST = 1024
"""Of callers whose token is kept."""
_TIMEOUTS = Timeouts(connect_s=10, read_s=30)


@dataclass(frozen=True, kw_only=True)
class _Token:
    value: str = field(repr=False)
    until: float


class Tokens:
    """The tokens of one identity. name: the identity's. http: the provider's client."""

    def __init__(self, name: str, config: ClientCredentials | TokenExchange, http: HttpClient) -> None:
        self._name = name
        self._config = config
        self._http = http.for_credentials(f"{name} (its token endpoint)")
        self._kept: OrderedDict[str, _Token] = OrderedDict()
        self._rounds: Rounds[str] = Rounds()

    async def get(self, subject: str) -> str:
        """A token that is valid now. subject: the caller's own token, for an exchange.

        Raises AuthenticationError if the caller's token is not accepted, UpstreamError if there is no token.
        """
        place = _digest(subject)
        kept = self._kept.get(place)
        if kept is not None and time.monotonic() < kept.until:
            self._kept.move_to_end(place)
            return kept.value
        return await self._rounds.of(place, lambda: self._asked(subject, place))

    async def renewed(self, subject: str, refused: str) -> str:
        """A token other than one that was refused, if the endpoint gives another. Raises as `get` does."""
        kept = self._kept.get(_digest(subject))
        if kept is not None and kept.value == refused:
            del self._kept[_digest(subject)]
        return await self.get(subject)

    async def _asked(self, subject: str, place: str) -> str:
        config = self._config
        form = {"grant_type": "client_credentials"}
        if isinstance(config, TokenExchange):
            form = {
                "grant_type": _EXCHANGE,
                "subject_token": subject,
                "subject_token_type": config.subject_token_type,
            }
        form |= {
            name: value
            for name, value in (("scope", config.scope), ("audience", config.audience), ("resource", config.resource))
            if value
        }
        headers = dict(FORM)
        if config.client_id is not None and config.client_secret is not None:
            pair = f"{quote(config.client_id, safe='')}:{quote(config.client_secret.get_secret_value(), safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif config.client_id is not None:
            form["client_id"] = config.client_id
        request = Outgoing(
            method="POST", url=config.token_url, headers=headers, body=urlencode(form).encode(), timeouts=_TIMEOUTS
        )
        token = self._read(await self._answer(request))
        self._kept[place] = token
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return token.value

    async def _answer(self, request: Outgoing) -> object:
        try:
            return await self._http.value(request)
        except (UpstreamTimeout, UpstreamUnreachable):
            raise
        except UpstreamError as error:
            # Not the endpoint's own words: they may repeat what was sent.
            if isinstance(self._config, TokenExchange) and isinstance(error, UpstreamRejected):
                raise AuthenticationError(
                    f"The caller's token was not accepted in exchange for one of identity `{self._name}`",
                    hint="send a token that the identity's token endpoint knows",
                ) from None
            status = f" ({error.upstream_status})" if error.upstream_status else ""
            raise self._failed(f"gave no token{status}") from None

    def _read(self, answer: object) -> _Token:
        value = answer.get("access_token") if isinstance(answer, dict) else None
        if not (isinstance(answer, dict) and isinstance(value, str) and value.isascii() and value.isprintable()):
            raise self._failed("answered without an `access_token`")
        lifetime = answer.get("expires_in")
        lifetime_s = _USUAL_S
        if isinstance(lifetime, int | float) and not isinstance(lifetime, bool):
            lifetime_s = max(0.0, float(lifetime))
        return _Token(value=value, until=time.monotonic() + max(lifetime_s - _MARGIN_S, lifetime_s / 2))

    def _failed(self, what: str) -> UpstreamError:
        return UpstreamError(
            f"The token endpoint of identity `{self._name}` {what}",
            provider_id=self._name,
            hint=f"check `identities.{self._name}` in the run config",
            code="upstream_refused_key",
        )


def _digest(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
