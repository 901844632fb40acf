"""What may be kept of a secret: a digest to compare it by, and not to read it from."""

from __future__ import annotations

_ROUNDS = 100_000  # so many that a short password cannot be found by trying


def secret_digest(text: str, *, salt: str) -> str:
    """In hexadecimal; takes some 30 ms. salt: the same for two that are to be compared, another for all others."""
    import hashlib

    return hashlib.pbkdf2_hmac("sha256", text.encode(errors="surrogateescape"), salt.encode(), _ROUNDS).hex()
