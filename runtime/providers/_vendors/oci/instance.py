"""The machine of Oracle's that this runs on: its certificate, which it tells at an address of its own, is exchanged for
a token with which requests are signed.
https://docs.oracle.com/en-us/iaas/Content/Identity/Tasks/callingservicesfrominstances.htm and Oracle's own packages,
which are all that documents the exchange (read November 2026)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from runtime.clock import utc_now
from runtime.errors import Unavailable, UpstreamError
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.tokens import expiry_of
from runtime.http.transport import Outgoing, json_request
from runtime.providers._vendors.oci.credentials import Credentials, read_key
from runtime.providers._vendors.oci.signature import signed

_PLACE = "http://169.254.169.254/opc/v2"
_TOLD = {"authorization": "Bearer Oracle"}
_SOON = Timeouts(connect_s=1.0, read_s=2.0, total_s=5.0)
"""It is as near as can be; where there is none, nothing answers."""
_EXCHANGE = Timeouts(connect_s=5.0, read_s=20.0, total_s=30.0)
_TENANCIES = ("opc-tenant:", "opc-identity:")
_SOURCE = "this machine"


async def of_instance(http: HttpClient, env: Mapping[str, str]) -> Credentials | None:
    """None where this is no machine of Oracle's. Raises Unavailable where it gets no token."""
    place = (env.get("OCI_METADATA_BASE_URL") or _PLACE).rstrip("/")
    try:
        where = await http.value(_ask(f"{place}/instance/regionInfo"))
        leaf, key, above = [
            await _text(http, f"{place}/identity/{name}.pem") for name in ("cert", "key", "intermediate")
        ]
    except UpstreamError:
        return None
    leaf_key = read_key(key, f"{_SOURCE}'s certificate")
    certificate = _certificate(leaf)
    fingerprint = certificate.fingerprint(SHA256()).hex(":")
    key_id = f"{_tenancy(certificate)}/fed-x509-sha256/{fingerprint}"
    session = await asyncio.to_thread(generate_private_key, 65537, 2048)
    body = {
        "certificate": _bare(leaf),
        "intermediateCertificates": [_bare(above)],
        "publicKey": _bare(session.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
        "fingerprintAlgorithm": "SHA256",
    }
    request = json_request(f"{_auth_address(where)}/v1/x509", body, timeouts=_EXCHANGE)
    by_leaf = Credentials(key_id=key_id, key=leaf_key)
    try:
        answer = await http.value(signed(request, by_leaf, at=utc_now(), with_host=False))
    except UpstreamError as error:
        raise Unavailable(f"{_SOURCE} gets no token of OCI: {error.message}", code=error.code) from error
    return _with_token(answer, session)


def _with_token(answer: Any, key: RSAPrivateKey) -> Credentials:
    token = answer.get("token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:
        raise Unavailable(f"{_SOURCE} gets no token of OCI: it answered without one")
    return Credentials(key_id=f"ST${token}", key=key, source=_SOURCE, expires_at=expiry_of(token))


def _auth_address(where: Any) -> str:
    """Where certificates are exchanged in the machine's region and realm."""
    region = where.get("regionIdentifier") if isinstance(where, dict) else None
    domain = where.get("realmDomainComponent") if isinstance(where, dict) else None
    if not (isinstance(region, str) and isinstance(domain, str) and region and domain):
        raise Unavailable(f"{_SOURCE} does not say in which region of OCI it is")
    return f"https://auth.{region}.{domain}"


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise Unavailable(f"{_SOURCE}'s certificate cannot be read") from None


def _tenancy(certificate: x509.Certificate) -> str:
    for attribute in certificate.subject:
        value = str(attribute.value)
        for prefix in _TENANCIES:
            if value.startswith(prefix):
                return value.removeprefix(prefix)
    raise Unavailable(f"{_SOURCE}'s certificate names no tenancy")


def _bare(pem: bytes) -> str:
    """A PEM's base64 alone."""
    lines = pem.decode("ascii", "replace").splitlines()
    return "".join(line.strip() for line in lines if not line.startswith("-----"))


def _ask(url: str) -> Outgoing:
    return Outgoing(method="GET", url=url, headers=_TOLD, timeouts=_SOON)


async def _text(http: HttpClient, url: str) -> bytes:
    exchange = await http.send(_ask(url))
    try:
        return await exchange.read()
    finally:
        await exchange.close()
