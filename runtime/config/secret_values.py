"""Finds the secrets in validated settings, so that they can be masked in logs and messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, unquote_plus

from pydantic import BaseModel, SecretStr

from runtime.redaction import assigned_secrets, is_secret, secrets_of_queries


def secrets_in(value: Any, key: str = "") -> Iterator[str]:
    """Values of type SecretStr, texts under the name of a secret, and passwords in URLs and connection strings, at any
    depth.
    """
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
        yield from _passwords_in(value.get_secret_value())
    elif isinstance(value, str):
        if is_secret(key):
            yield value
        yield from _passwords_in(value)
    elif isinstance(value, BaseModel | Mapping):
        for name, inner in value.items() if isinstance(value, Mapping) else value:
            yield from secrets_in(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from secrets_in(inner, key)


def _passwords_in(text: str) -> Iterator[str]:
    """The passwords in a URL or a connection string, as written and decoded: a driver may report one alone."""
    if "://" in text and "@" in text:
        written = text.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from dict.fromkeys(password for password in (written, unquote(written)) if password)
    for written in secrets_of_queries(text):
        yield from dict.fromkeys((written, unquote_plus(written)))
    for start, end in assigned_secrets(text):
        written = text[start:end]
        quote = {"{": "}"}.get(written[:1], written[:1]) if written[:1] in ("'", '"', "{") else ""
        bare = written[1:].removesuffix(quote).replace(quote * 2, quote) if quote else written
        yield from dict.fromkeys(secret for secret in (bare, re.sub(r"\\(.)", r"\1", bare)) if secret)
