"""OCI's signature of a request: HTTP signatures with RSA-SHA256, as in draft-cavage-http-signatures-08.
https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm (read November 2026)

Pure: knows the request, the credentials and the time, and sends nothing.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from runtime.http.transport import Key, Outgoing, host_header
from runtime.providers._vendors.oci.credentials import Credentials

_WITH_BODY = ("POST", "PUT", "PATCH")


def signed(request: Outgoing, credentials: Credentials, *, at: datetime, with_host: bool = True) -> Outgoing:
    """The request with its signature. Its body is whole, or none. at: now, in UTC; OCI refuses a date that is more than
    five minutes off. with_host: whether the host is signed, as everywhere but where certificates are exchanged.
    """
    assert isinstance(request.body, bytes | None), "a body in parts has another signature"
    url = urlsplit(request.url)
    target = f"{request.method.lower()} {url.path or '/'}{f'?{url.query}' if url.query else ''}"
    added = {"date": format_datetime(at, usegmt=True)}
    covered = {"date": added["date"], "(request-target)": target}
    if with_host:
        covered["host"] = host_header(request.url)
    if request.method in _WITH_BODY:
        body = request.body or b""
        added["content-type"] = request.headers.get("content-type", "application/json")
        added["x-content-sha256"] = b64encode(hashlib.sha256(body).digest()).decode()
        covered |= {
            "content-length": str(len(body)),
            "content-type": added["content-type"],
            "x-content-sha256": added["x-content-sha256"],
        }
    text = "\n".join(f"{name}: {value}" for name, value in covered.items())
    signature = b64encode(credentials.key.sign(text.encode(), PKCS1v15(), SHA256())).decode()
    added["authorization"] = (
        f'Signature version="1",keyId="{credentials.key_id}",algorithm="rsa-sha256",'
        f'headers="{" ".join(covered)}",signature="{signature}"'
    )
    return request.with_headers(added, key=Key(value=credentials.key_id))
