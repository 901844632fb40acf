"""https://deepinfra.com/docs/openai_api, read November 2026."""

from __future__ import annotations

from functools import partial

from tests.conformance.inference.vendor import OPENAI, Vendor
from tests.support.upstream import Habits, Upstream

VENDOR = Vendor(
    make=partial(Upstream, Habits(root="/v1/openai", usage="always")),
    has=OPENAI | {"rerank"},
)
