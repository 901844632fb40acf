"""The token of a service account whose key is in a file: it signs who it is, as a JWT with RS256.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest (read November 2026)
"""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode

from runtime.clock import wall_time
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.oauth import exchanged, member
from runtime.http.tokens import Token
from runtime.providers._vendors.google.exchanges import SCOPE, TOKEN_URL
from runtime.sse import Json, encode

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_VALID_S = 3600
"""The longest that Google takes."""


async def by_service_account(http: HttpClient, given: Json, source: str) -> Token:
    """Raises Unavailable for a file without a key, and where Google gives no token."""
    whose = f"the service account `{member(given, 'client_email', source)}`"
    url = str(given.get("token_uri") or TOKEN_URL)
    assertion = await asyncio.to_thread(_assertion, given, source)
    return await exchanged(http, url, {"grant_type": _GRANT, "assertion": assertion}, whose)


def _assertion(given: Json, source: str) -> str:
    """For Google, by whichever of its addresses it gets there."""
    now = int(wall_time())
    header = {"alg": "RS256", "typ": "JWT", "kid": given.get("private_key_id")}
    claims = {
        "iss": given["client_email"], "scope": SCOPE, "aud": TOKEN_URL, "iat": now, "exp": now + _VALID_S,
    }  # fmt: skip
    signed = b".".join(_base64(encode(part)) for part in (header, claims))
    return (signed + b"." + _base64(_signature(member(given, "private_key", source), signed, source))).decode()


def _signature(key: str, signed: bytes, source: str) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256, RFC 7518, 3.3."""
    # Only here: most callers of Google have no service account's file.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        loaded = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unavailable(f"the `private_key` of {source} cannot be read", hint="it is a key in PEM form") from None
    if not isinstance(loaded, RSAPrivateKey):
        raise Unavailable(f"the `private_key` of {source} is no RSA key")
    return loaded.sign(signed, PKCS1v15(), SHA256())


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
