"""A vendor whose requests are signed: an HMAC over method, path, date and body proves who sends them.

The key itself is never sent. https://signed.example
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from runtime.errors import NotSupported
from runtime.http.auth import Auth
from runtime.http.keys import ProviderKeys
from runtime.http.transport import Outgoing
from runtime.provider import ProviderContext
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.spec import openai_compatible


def signature(key: str, *, method: str, path: str, date: str, body: bytes) -> str:
    """As the vendor documents it: what is signed are these four, joined by line breaks."""
    return hmac.digest(key.encode(), b"\n".join([method.encode(), path.encode(), date.encode(), body]), "sha256").hex()


class Signed:
    """now: the date of a request."""

    def __init__(self, keys: ProviderKeys, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._keys = keys
        self._now = now
        self.hint = keys.how_to_give

    async def apply(self, request: Outgoing) -> Outgoing:
        key = self._keys.needed()
        body = b"" if request.body is None else request.body
        if not isinstance(body, bytes):
            raise NotSupported(f"provider `{self._keys.provider_id}` signs a body only as a whole, not in parts")
        date = format_datetime(self._now(), usegmt=True)
        signed = signature(key.value, method=request.method, path=urlsplit(request.url).path, date=date, body=body)
        return request.with_headers({"date": date, "authorization": f"HMAC-SHA256 {signed}"}, key=key)


class SignedInference(OpenAICompatibleInference):
    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        return Signed(context.keys)


SPEC = replace(
    openai_compatible(
        "vendor-signed",
        summary="Expects a signature in place of a key",
        base_url="https://signed.example/v1",
        api_key_env="SIGNED_KEY",
    ),
    adapter=f"{__name__}:SignedInference",
)
APIS = ()
SPECS = (("inference", SPEC),)
