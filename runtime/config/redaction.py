"""Masks the secrets in a configuration. Knows the usual names of secrets, and where they occur in URLs.

Standard library only, since listing commands import it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "********"

_WORDS = {"password", "passwd", "pwd", "passphrase", "secret", "secrets", "credential", "credentials", "token"}
_WORDS |= {"authorization", "bearer", "cookie"}
_ENDINGS = (
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "accountkey",
    "sharedkey",
    "signingkey",
    "connectionstring",
)
_NOT_SECRET = {"max", "min", "num", "count", "limit", "budget"}  # `max_token`, `num_token`: how many, not which
_FOLDERS = ("PWD", "OLDPWD")
"""Variables of every shell: the current folder and the last one. `pwd` elsewhere is a password."""
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
# Up to the last `@`: a password may contain `/`, `?` and `@` unescaped. Masking a host too is better than showing a
# password. Searched word by word, so that nothing is scanned twice: a vendor's message may have 64 thousand characters.
_CREDENTIALS = re.compile(r"://[^/?#@:]*(?::.*)?@")
_WORD = re.compile(r"\S+")
_QUERY = re.compile(
    r"(?P<name>[?&](?:[A-Za-z0-9_-]*(?:key|token|secret|password|signature)|sig)=)[^&#\s]+", re.IGNORECASE
)


def is_secret(key: str) -> bool:
    """Whether a value under this name must not be shown: `api_key`, `hf_token`, `clientSecret`, `Authorization`."""
    words = [word.lower() for word in _PARTS.findall(key)]
    if key in _FOLDERS or any(word in _NOT_SECRET for word in words):
        return False
    return bool(_WORDS.intersection(words)) or "".join(words).rstrip("s").endswith(_ENDINGS) or words == ["key"]


def hides(key: str) -> bool:
    """Whether nothing below this key may be shown: a secret's, and `headers`, whose names can be anything."""
    return key == "headers" or is_secret(key)


def redact(value: Any, *, key: str = "") -> Any:
    """A copy that is safe to print: secrets become `********`, also inside URLs. Empty values stay visible as empty."""
    if hides(key) and not isinstance(value, bool):
        return _masked(value)
    if isinstance(value, Mapping):
        return {name: redact(inner, key=str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    if isinstance(value, str):
        return redact_text(value)
    return value


def redact_text(text: str) -> str:
    """The text with masked users, passwords and key parameters in its URLs."""
    if "://" in text and "@" in text:
        text = _WORD.sub(_without_credentials, text)
    return _QUERY.sub(rf"\g<name>{MASK}", text)


def _without_credentials(word: re.Match[str]) -> str:
    url, at, rest = word[0].rpartition("@")
    return _CREDENTIALS.sub(f"://{MASK}@", url + at) + rest


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in value]
    return value if value is None or value == "" else MASK
