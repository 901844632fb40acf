"""A provider of tools under test, as a suite's module states it: `SUBJECTS = {"acme": Kind(make=...)}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.conformance.asgi import Client


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A running stack with one provider of tools.

    group: a group of its tools. tool, arguments: one of them, and a call of it that succeeds, each time with the same
    answer. wrong: arguments that it must not take. secret: its key, which it may show nobody; empty where it has none.
    fail: from now on, what it calls answers with an error.

    The abilities of a `Kind`: `fails`, where `fail` can be done.
    """

    client: Client
    group: str
    tool: str
    arguments: Mapping[str, Any]
    wrong: Mapping[str, Any]
    secret: str = ""
    fail: Callable[[], None] | None = None
