"""Converts another server's failure to one of our errors: with its own message, but without secrets.

An upstream's failure is never a 500 of ours. Its 4xx is passed on, except for a refusal of our configured key, which
the caller cannot change; 503 and 504 are kept; everything else is a 502, except for the statuses that vendors have
added, which become the usual one of the same meaning.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import cached_property
from math import ceil
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from runtime.addresses import keys_in, origin_of, place_of
from runtime.errors import UpstreamError, UpstreamRejected, UpstreamTimeout, UpstreamUnreachable
from runtime.http.context_length import code_of
from runtime.http.limits import NO_RETRY, advice, is_hopeless, passed_on
from runtime.http.transport import Exchange, Outgoing
from runtime.http.vendor_errors import VendorError, vendor_error

_BODY_LIMIT = 64 * 1024
_BODY_LIMIT_S = 10.0
_QUOTE = 500
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # without ESC, since some messages are coloured
_OUR_STATUS = {407: 502, 424: 502, 498: 503, 499: 502, 503: 503, 504: 504, 524: 504, 529: 503}
"""Statuses that are not passed on. 407: a proxy's, which is not the caller's. 424: generation failed (TGI). 498: no
capacity (Groq). 499: the vendor saw its client leave. 524: the origin timed out (Cloudflare). 529: overloaded
(Anthropic).
"""
_STATUS_OF_TYPE = {"overloaded_error": 529, "rate_limit_error": 429, "timeout_error": 504}
"""What an error of this type would be, had the answer not begun. https://platform.claude.com/docs/en/api/errors"""
UNREACHABLE_HINT = "is it running, and is its address in the run config right?"
_NO_SECRETS = ("content-type", "accept", "user-agent", "x-request-id", "traceparent")
_SECRET_LENGTH = 6
"""Shorter header values are words, not keys."""


class Call:
    """One call of a provider, for making its errors. request: as it was sent. proxy: as in `Exchange`. key_hint: how a
    user gives the provider a key. shows_paths: whether messages may have the paths of addresses, which of others'
    servers may be keys.
    """

    def __init__(
        self, provider_id: str, request: Outgoing, *, proxy: str = "", key_hint: str = "", shows_paths: bool = True
    ) -> None:
        self.provider_id = provider_id
        self._request = request
        self._proxy = f", through the proxy {proxy}" if proxy else ""
        self._key_hint = key_hint
        self._address = place_of if shows_paths else origin_of

    @property
    def place(self) -> str:
        """The address that was called, without secrets."""
        return self._address(self._request.url) + self._proxy

    def failed(self, what: str, **fields: Any) -> UpstreamError:
        """The error of a failed call. what: the rest of a sentence that begins with the provider."""
        return UpstreamError(f"`{self.provider_id}` {what}", provider_id=self.provider_id, **fields)

    def unreachable(self, words: str) -> UpstreamUnreachable:
        """The error of a call of which nothing was sent. words: why."""
        message = f"`{self.provider_id}` cannot be reached at {self.place}: {words}"
        return UpstreamUnreachable(message, provider_id=self.provider_id, hint=UNREACHABLE_HINT)

    def broke_off(self) -> UpstreamError:
        """The error of an answer whose connection has ended before it did."""
        return self.failed(f"broke off its answer ({self.place})")

    def not_json(self, status: int, headers: Mapping[str, str], body: bytes, *, wanted: str) -> UpstreamError:
        """The error of an answer that is not what we expected. wanted: such as `JSON` or `a stream`."""
        if status in (204, 205) or not body.strip():
            return self.failed(f"answered {self.place} with status {status} and no content, instead of {wanted}")
        kind = self._shown(headers.get("content-type") or "no content type")
        return self.failed(f"answered {self.place} with no {wanted.removeprefix('a ')} ({kind}): {self.quoted(body)}")

    def too_large(self, limit: int) -> UpstreamError:
        """The error of an answer with more bytes than we keep."""
        return self.failed(f"answered with more than {limit} bytes ({self.place})")

    def quoted(self, body: bytes) -> str:
        """The beginning of a body on one line, without secrets."""
        start = body[:_BODY_LIMIT]
        if _BINARY.search(start[: 4 * _QUOTE]):  # compressed, although we did not ask for that
            return "bytes that are not text"
        return " ".join(self.without_secrets(start.decode("utf-8", "replace")).split())[:_QUOTE]

    def _shown(self, header: str) -> str:
        """A header of an answer, without secrets."""
        return self.quoted(header.encode(errors="replace"))

    def without_secrets(self, words: str) -> str:
        """Mask secrets in a text: a vendor may quote the key that it refused."""
        for secret in self._secrets:
            words = words.replace(secret, "********")
        return words

    @cached_property
    def _secrets(self) -> list[str]:
        """The secrets of the request, the longest first, since one may be part of another."""
        request = self._request
        found = [value for name, value in request.headers.items() if name not in _NO_SECRETS]
        found += [value.partition(" ")[2] for value in found]  # after a scheme such as `Bearer`
        if request.key is not None:
            found += [request.key.value, quote(request.key.value, safe="")]
        user, at, _ = urlsplit(request.url).netloc.rpartition("@")
        if at:
            name, _, password = user.partition(":")
            pair = f"{unquote(name)}:{unquote(password)}"
            found += [b64encode(pair.encode()).decode(), password, unquote(password)]
        if self._address is origin_of:
            found += keys_in(request.url)
        found += [value.replace("/", r"\/") for value in found]  # as some write JSON
        return sorted((secret for secret in found if len(secret) >= _SECRET_LENGTH), key=len, reverse=True)

    async def refusal(self, exchange: Exchange) -> UpstreamError:
        """The error for an answer with status 300 or more."""
        if exchange.status < 400:
            return self._redirected(exchange)
        body = await beginning_of(exchange.chunks())
        vendor = vendor_error(body)
        if vendor.type is None and (kind := exchange.headers.get("x-amzn-errortype")):
            vendor = replace(vendor, type=kind.partition(":")[0])
        return self.status_error(exchange.status, vendor, body=body, headers=exchange.headers)

    def status_error(
        self, status: int, vendor: VendorError, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> UpstreamError:
        """The error for a status of 400 or more, with the answer's limits and waits. vendor: what its body says."""
        words = self._text(vendor.message) or self.quoted(body)
        message = f"`{self.provider_id}` answered {status}{self._proxy}: {words or 'no reason given'}"
        given = headers or {}
        limits = passed_on(given, self._request)
        kept = {**limits, **advice(given)}
        if vendor.wait_s is not None:
            kept.setdefault("retry-after", str(ceil(vendor.wait_s)))
        hint = None
        if status == 429 and is_hopeless(limits, vendor.code):
            kept |= NO_RETRY
            hint = "waiting does not help: the vendor's account has no credit, or its plan does not have this model"
        code = self._text(code_of(status, vendor))
        if status in (401, 403):
            hint = f"the key of provider `{self.provider_id}` was not accepted"
            if self._sent_our_key:
                return UpstreamError(
                    message,
                    provider_id=self.provider_id,
                    upstream_status=status,
                    code="upstream_refused_key",
                    headers=kept | NO_RETRY,
                    hint=f"{hint}: {self._key_hint}" if self._key_hint else hint,
                )
            if not self._request.key_is_callers:
                hint = self._key_hint or None
            code = code or "upstream_refused_key"
        ours = _OUR_STATUS.get(status, 502 if status >= 500 else status)
        failure = UpstreamTimeout if ours == 504 else UpstreamError if ours >= 500 else UpstreamRejected
        error = failure(
            message,
            provider_id=self.provider_id,
            upstream_status=status,
            type=self._text(vendor.type),
            code=code,
            param=self._text(vendor.param),
            more=self._masked(vendor.more),
            headers=kept,
            hint=hint,
        )
        error.status = ours
        return error

    @property
    def _sent_our_key(self) -> bool:
        """Whether the request had a configured key: a key, a header, or a user in the address."""
        if self._request.key is not None:
            return not self._request.key.is_callers
        return "authorization" in self._request.headers or "@" in urlsplit(self._request.url).netloc

    def stated_error(self, body: bytes) -> UpstreamError:
        """The error for an answer or event with status 200 that reports one. Some vendors put the intended status in
        it, or a type that means one.
        """
        vendor = vendor_error(body)
        status = vendor.status or _STATUS_OF_TYPE.get(vendor.type or "")
        if status is not None:
            return self.status_error(status, vendor, body=body)
        return self.failed(
            f"ended its answer with an error: {self._text(vendor.message) or self.quoted(body)}",
            type=self._text(vendor.type),
            code=self._text(vendor.code),
            param=self._text(vendor.param),
            more=self._masked(vendor.more),
        )

    def _text(self, words: str | None) -> str | None:
        return self.without_secrets(words) if words else None

    def _masked(self, value: Any) -> Any:
        """JSON of the vendor's, without secrets in its names and texts."""
        if isinstance(value, Mapping):
            return {self.without_secrets(name): self._masked(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._masked(member) for member in value]
        return self.without_secrets(value) if isinstance(value, str) else value

    def _redirected(self, exchange: Exchange) -> UpstreamError:
        where = self._shown(self._address(location)) if (location := exchange.headers.get("location")) else ""
        return self.failed(
            f"answered {exchange.status}, a redirection{f' to {where}' if where else ''}",
            upstream_status=exchange.status,
            hint="redirections are not followed: is its address in the run config right?",
        )


async def beginning_of(reads: AsyncIterator[bytes], begun: bytes = b"") -> bytes:
    """As much of a body as we need for a quote; errors while reading it are ignored. begun: what was already read."""
    body = begun
    with contextlib.suppress(UpstreamError, TimeoutError):
        async with asyncio.timeout(_BODY_LIMIT_S):
            while len(body) < _BODY_LIMIT and (data := await anext(reads, b"")):
                body += data
    return body[:_BODY_LIMIT]
