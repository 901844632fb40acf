"""https://docs.runpod.io/serverless/vllm/openai-compatibility, read November 2026: vLLM at another path."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors.vllm import HABITS

VENDOR = Vendor(make=partial(Upstream, replace(HABITS, root="/v2/abc123/openai/v1")), has=OPENAI - {"limits"})
