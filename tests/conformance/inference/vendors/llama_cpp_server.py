"""https://github.com/ggml-org/llama.cpp/tree/master/tools/server, read November 2026; a real one is in `subjects`."""

from __future__ import annotations

from functools import partial

from tests.conformance.inference.vendor import OPENAI, Vendor
from tests.support.upstream import Habits, Upstream
from tests.support.upstream.error_shapes import numbered

VENDOR = Vendor(
    make=partial(Upstream, Habits(error=numbered)),
    has=(OPENAI | {"rerank"}) - {"limits"},  # its refusal of a long prompt has a type of its own
)
