"""https://docs.mistral.ai/api/, read November 2026."""

from __future__ import annotations

from functools import partial

from tests.conformance.inference.vendor import OPENAI, Vendor
from tests.support.upstream import Habits, Upstream

REFUSED = frozenset(
    {"max_completion_tokens", "seed", "user", "stream_options", "logprobs", "top_logprobs", "metadata", "dimensions"}
)
VENDOR = Vendor(
    make=partial(Upstream, Habits(usage="always", refused_fields=REFUSED, refused_status=422)),
    has=OPENAI - {"completions", "logprobs", "seed"},
)
