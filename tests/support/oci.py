"""OCI at wire level: who may sign requests, a machine that tells its certificate, and where that is exchanged.

Signatures are checked as https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm says, with code of
its own. Read November 2026.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from cryptography.x509.oid import NameOID

from runtime.clock import utc_now, wall_time

TENANCY, USER = "ocid1.tenancy.oc1..aaaatenancy", "ocid1.user.oc1..aaaauser"
COMPARTMENT = "ocid1.compartment.oc1..aaaacompartment"
FINGERPRINT = "20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34"
KEY_ID = f"{TENANCY}/{USER}/{FINGERPRINT}"
PASSPHRASE = "of the key"
_SIGNATURE = re.compile(
    r'Signature version="1",keyId="([^"]+)",algorithm="rsa-sha256",headers="([^"]+)",signature="(.+)"'
)
_ALWAYS = {"date", "(request-target)", "host"}
_OF_BODIES = {"content-length", "content-type", "x-content-sha256"}


@cache
def key() -> RSAPrivateKey:
    """The user's."""
    return generate_private_key(65537, 2048)


def pem(of: RSAPrivateKey, *, passphrase: str | None = None) -> bytes:
    shut = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return of.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, shut)


def write_config(folder: Path) -> Path:
    """The file of `oci setup config`: `DEFAULT`, `SHUT` with a passphrase, and `SESSION` with a token."""
    (folder / "key.pem").write_bytes(pem(key()) + b"OCI_API_KEY\n")
    (folder / "shut.pem").write_bytes(pem(key(), passphrase=PASSPHRASE))
    (folder / "token").write_text(token())
    file = folder / "config"
    file.write_text(
        f"[DEFAULT]\nuser={USER}\nfingerprint={FINGERPRINT}\ntenancy={TENANCY}\nregion=us-ashburn-1\nkey_file=key.pem\n"
        f"[SHUT]\nkey_file={folder / 'shut.pem'}\npass_phrase={PASSPHRASE}\n"
        "[SESSION]\nsecurity_token_file=token\n"
    )
    return file


_FOLDER = TemporaryDirectory(prefix="oci-config-")


@cache
def config_file() -> Path:
    """One for all tests that only read it."""
    return write_config(Path(_FOLDER.name))


def token(*, lives_s: float = 3600.0, of: str = "session") -> str:
    parts = ({"alg": "RS256"}, {"sub": of, "exp": wall_time() + lives_s})
    return ".".join([*(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts), "c2ln"])


def refused(
    keys: Mapping[str, RSAPublicKey], method: str, target: str, headers: Mapping[str, str], body: bytes, *, host: bool
) -> str | None:
    """Why a signature is not accepted; None if it is. keys: by their ids. target: path and query. host: whether it has
    to be signed.
    """
    found = _SIGNATURE.fullmatch(headers.get("authorization", ""))
    if found is None:
        return "there is no signature"
    key_id, covered, signature = found[1], found[2].split(" "), found[3]
    wanted = (_ALWAYS if host else _ALWAYS - {"host"}) | (_OF_BODIES if method == "POST" else set())
    if missing := wanted - {*covered}:
        return f"the signature does not cover {missing}"
    if abs(parsedate_to_datetime(headers["date"]) - utc_now()) > timedelta(minutes=5):
        return "the date is wrong"
    if method == "POST":
        if headers["x-content-sha256"] != b64encode(hashlib.sha256(body).digest()).decode():
            return "the digest of the body is wrong"
        if headers["content-length"] != str(len(body)):
            return "the length of the body is wrong"
    special = {"(request-target)": f"{method.lower()} {target}"}
    text = "\n".join(f"{name}: {special.get(name) or headers[name]}" for name in covered)
    if key_id not in keys:
        return f"there is no key {key_id}"
    try:
        keys[key_id].verify(b64decode(signature), text.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return "the signature is wrong"
    return None


class Machine:
    """A machine of Oracle's: what it tells of itself, and the exchange of its certificate. issued: public keys by the
    ids with which its tokens are used.
    """

    def __init__(self) -> None:
        self.key = generate_private_key(65537, 2048)
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "ocid1.instance.oc1..aaaainstance"),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "opc-certtype:instance"),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"opc-tenant:{TENANCY}"),
            ]
        )
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        made = made.serial_number(1).not_valid_before(utc_now()).not_valid_after(utc_now() + timedelta(hours=1))
        self.certificate = made.sign(self.key, SHA256())
        self.asked: list[str] = []
        self.issued: dict[str, RSAPublicKey] = {}
        self.lives_s = 1200.0

    def tells(self, path: str, headers: Mapping[str, str]) -> bytes | None:
        """What `http://169.254.169.254` answers; None where it refuses."""
        self.asked.append(path)
        if headers.get("authorization") != "Bearer Oracle":
            return None
        public = self.certificate.public_bytes(Encoding.PEM)
        where = {
            "realmKey": "oc1", "realmDomainComponent": "oraclecloud.com", "regionKey": "FRA",
            "regionIdentifier": "eu-frankfurt-1",
        }  # fmt: skip
        return {
            "/opc/v2/instance/regionInfo": json.dumps(where).encode(),
            "/opc/v2/identity/cert.pem": public,
            "/opc/v2/identity/intermediate.pem": public,
            "/opc/v2/identity/key.pem": pem(self.key),
        }.get(path)

    def exchange(self, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """What `https://auth.eu-frankfurt-1.oraclecloud.com/v1/x509` answers."""
        own = self.certificate.fingerprint(SHA256()).hex(":")
        keys = {f"{TENANCY}/fed-x509-sha256/{own}": self.key.public_key()}
        why = refused(keys, "POST", "/v1/x509", headers, body, host=False)
        if why is not None:
            return 401, {"code": "NotAuthenticated", "message": why}
        given = json.loads(body)
        if b64decode(given["certificate"]) != self.certificate.public_bytes(Encoding.DER):
            return 400, {"code": "InvalidParameter", "message": "another certificate"}
        made = token(lives_s=self.lives_s, of=f"instance#{len(self.issued)}")
        public = load_der_public_key(b64decode(given["publicKey"]))
        assert isinstance(public, RSAPublicKey)
        self.issued[f"ST${made}"] = public
        return 200, {"token": made}
