"""The secrets that validated settings hold, for whoever keeps them out of logs and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from runtime.config.redaction import is_secret


def secrets_in(value: Any, key: str = "") -> Iterator[str]:
    """Values of type SecretStr, texts under a secret's name and passwords of URLs, however deep."""
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
    """The password of a URL, as it stands there and as it is sent: a driver may report it without the URL."""
    if "://" in text and "@" in text:
        written = text.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from dict.fromkeys(password for password in (written, unquote(written)) if password)
