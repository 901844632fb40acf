"""A scoring function under test, as a suite's module states it: `SUBJECTS = {"acme": Kind(make=...)}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.conformance.asgi import Client


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A running stack with one provider of scoring.

    function: one of its functions, by the id that it is served with. good, bad: rows with all that it reads; the score
    of `good` is the higher one. params: what it is told, as a request has it; None for what is usual. wrong_params:
    what it cannot be told. secret: its key, which it may show nobody; empty where it has none. fail: from now on, what
    it calls answers with an error that quotes the key.

    The abilities of a `Kind`: `wrong_params`, where there are such; `fails`, where `fail` can be done.
    """

    client: Client
    function: str
    good: Mapping[str, Any]
    bad: Mapping[str, Any]
    params: Mapping[str, Any] | None = None
    wrong_params: Mapping[str, Any] | None = None
    secret: str = ""
    fail: Callable[[], None] | None = None
