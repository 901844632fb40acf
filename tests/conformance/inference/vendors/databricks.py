"""https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import CHAT_MODEL, Endpoint, Habits, Upstream
from runtime.conformance.upstream.error_shapes import error_code
from tests.conformance.inference.vendor import Vendor


class Databricks(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        known = super().endpoints()
        return {path: known[path] for path in ("/chat/completions", "/embeddings")}

    def listed(self) -> Any:
        """https://docs.databricks.com/api/workspace/servingendpoints/list"""
        tasks = {CHAT_MODEL: "llm/v1/chat"}
        return {"endpoints": [{"name": name, "task": tasks.get(name, "llm/v1/embeddings")} for name in self.models]}


HABITS = Habits(
    root="/serving-endpoints",
    models_path="/api/2.0/serving-endpoints",
    usage="always",
    refused_fields=frozenset({"stream_options", "max_completion_tokens"}),
    error=error_code,
)
VENDOR = Vendor(
    make=partial(Databricks, HABITS),
    has=OPENAI - {"completions", "limits"},  # its errors have codes of their own
)
