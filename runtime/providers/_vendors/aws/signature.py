"""Signature Version 4, which authenticates a request to AWS.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html (read November 2026)

Pure: knows the request, the credentials and the time, and sends nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

from runtime.http.transport import Outgoing, host_header
from runtime.providers._vendors.aws.credentials import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"
_SIGNED = ("content-type", "host")
"""Signed if they are there, like all that begin with `x-amz-`; a proxy may change others."""


def signed(request: Outgoing, credentials: Credentials, *, region: str, service: str, at: datetime) -> Outgoing:
    """The request with its signature. Its body is whole, or none. service: its name in signatures, such as `bedrock`.
    at: now, in UTC; AWS refuses a request that is more than some minutes old.
    """
    assert isinstance(request.body, bytes | None), "a body in parts has another signature"
    url = urlsplit(request.url)
    date = at.strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": date}
    if credentials.session_token is not None:
        added["x-amz-security-token"] = credentials.session_token
    headers = {**request.headers, **added, "host": host_header(request.url)}
    covered = sorted(name for name in headers if name in _SIGNED or name.startswith("x-amz-"))
    names = ";".join(covered)
    canonical = "\n".join(
        [
            request.method,
            quote(url.path or "/", safe="/~"),
            "&".join(f"{name}={value}" for name, value in sorted(_query(url.query))),
            *(f"{name}:{' '.join(headers[name].split())}" for name in covered),
            "",
            names,
            _digest(request.body or b""),
        ]
    )
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([_ALGORITHM, date, scope, _digest(canonical.encode())])
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    signature = _mac(key, text).hex()
    added["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return request.with_headers(added, key=credentials.as_key())


def _query(query: str) -> list[tuple[str, str]]:
    pairs = parse_qsl(query, keep_blank_values=True)
    return [(quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
