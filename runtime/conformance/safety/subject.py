"""A provider of shields under test, as a suite's module states it: `SUBJECTS = {"acme": Kind(make=...)}`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.conformance.asgi import Client


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A running stack with one provider of safety.

    shield: one of its shields. harmful, harmless: texts, as it judges them. harmful_image, harmless_image: addresses
    that have an image in them, `data:image/png;base64,...`. secret: its key, which it may show nobody; empty where it
    has none. fail: from now on, what it calls answers with an error that quotes the key.

    The abilities of a `Kind`: `fails`, where `fail` can be done; `images`, where it sees them; `long_texts`, where it
    reads all of a text of 20,000 characters.
    """

    client: Client
    shield: str
    harmful: str
    harmless: str
    harmful_image: str = ""
    harmless_image: str = ""
    secret: str = ""
    fail: Callable[[], None] | None = None
