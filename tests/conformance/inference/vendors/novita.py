"""https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion and
/model-apis-llm-create-rerank, read November 2026.
"""

from __future__ import annotations

from functools import partial

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Habits, Upstream
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import NEWER

HABITS = Habits(root="/openai/v1", unread_fields=NEWER | {"max_completion_tokens"})
VENDOR = Vendor(make=partial(Upstream, HABITS), has=OPENAI | {"rerank"})
