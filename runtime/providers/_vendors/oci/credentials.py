"""What a request to OCI is signed with, and how keys are read."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from runtime.errors import Unavailable


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """key_id: as the signature names the key: `TENANCY/USER/FINGERPRINT`, or `ST$` and a token. source: where they are
    from, for messages: `the profile `WORK``. expires_at: seconds since 1970; None for those that do not expire, or do
    not say when.
    """

    key_id: str = field(repr=False)
    key: RSAPrivateKey = field(repr=False)
    source: str = field(default="", compare=False)
    expires_at: float | None = field(default=None, compare=False)


def read_key(pem: bytes, source: str, *, passphrase: str | None = None) -> RSAPrivateKey:
    """An RSA key in PEM form. source: whose it is, for messages. Raises Unavailable."""
    # Oracle's console puts a label after the key, which is no PEM.
    pem = pem.replace(b"\nOCI_API_KEY", b"\n")
    try:
        key = load_pem_private_key(pem, password=passphrase.encode() if passphrase else None)
    except TypeError:  # with a passphrase that it does not have, or without the one that it has
        hint = "set `pass_phrase` beside `key_file`" if not passphrase else "take out `pass_phrase`: the key has none"
        raise Unavailable(f"the key of {source} cannot be read", hint=hint) from None
    except (ValueError, UnsupportedAlgorithm):
        hint = "it is a key in PEM form" + ("; or is the passphrase another?" if passphrase else "")
        raise Unavailable(f"the key of {source} cannot be read", hint=hint) from None
    if not isinstance(key, RSAPrivateKey):
        raise Unavailable(f"the key of {source} is no RSA key")
    return key
