"""Finds the secrets in validated settings, so that they can be masked in logs and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from runtime.config.redaction import is_secret


def secrets_in(value: Any, key: str = "") -> Iterator[str]:
    """Values of type SecretStr, texts under the name of a secret, and passwords in URLs, at any depth."""
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
    """The password in a URL, as written and decoded: a driver may report it without the URL."""
    if "://" in text and "@" in text:
        written = text.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from dict.fromkeys(password for password in (written, unquote(written)) if password)
