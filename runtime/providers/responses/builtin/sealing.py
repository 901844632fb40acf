"""Encrypted contents: what clients keep for us and cannot read or change, such as a model's thoughts.

AES-256 in Galois/Counter Mode (NIST SP 800-38D) with a key that is made once and kept with the responses, so that every
server over the same store reads what another one wrote.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import Any

from runtime.providers.responses.builtin.tables import KEYS
from runtime.storage.sql import Insert, Select, SqlStore, eq

_NAME = "contents"
_MARK = "llse1."
"""What a sealed content begins with, and by which another server's is told apart."""
_NONCE_BYTES = 12


class Seals:
    """store: that holds the key."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._cipher: Any = None

    async def load(self) -> Seal:
        """What seals and opens. Raises Unavailable."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # few responses have anything sealed

        if self._cipher is None:
            made = {"name": _NAME, "key": AESGCM.generate_key(256)}
            row = await self._store.first(Select(KEYS, eq("name", _NAME)))
            if row is None:
                await self._store.write(Insert(KEYS, made, replace=()))
                row = await self._store.first(Select(KEYS, eq("name", _NAME)))
            assert row is not None, "it has just been written"
            self._cipher = AESGCM(row["key"])
        return Seal(self._cipher)


class Seal:
    """cipher: an `AESGCM`."""

    def __init__(self, cipher: Any) -> None:
        self._cipher = cipher

    def close(self, text: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), _MARK.encode())
        return _MARK + base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str) -> str | None:
        """What was closed; None for what was not closed with this key."""
        from cryptography.exceptions import InvalidTag

        if not sealed.startswith(_MARK):
            return None
        try:
            data = base64.urlsafe_b64decode(sealed[len(_MARK) :])
            text: bytes = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _MARK.encode())
            return text.decode()
        except (InvalidTag, binascii.Error, ValueError):
            return None
