"""https://docs.together.ai/reference/chat-completions and the vendor's client, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Upstream
from runtime.conformance.upstream.chat import chat
from runtime.conformance.upstream.texts import completion
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import refuse

LIMITS = {"x-ratelimit-limit": "10", "x-tokenlimit-remaining": "2000"}


def check(path: str, body: dict[str, Any]) -> None:
    if path == "/embeddings":
        refuse(body, ("user", "dimensions"), words="is an unrecognized argument")


def at_end_of_sequence(endpoint: Endpoint) -> Endpoint:
    """Ends with `eos` where OpenAI says `stop`."""

    def answer(body: dict[str, Any], habits: Habits) -> Answer:
        made = endpoint(body, habits)
        for one in (made.whole, *made.events):
            for choice in one["choices"]:
                if choice["finish_reason"] == "stop":
                    choice["finish_reason"] = "eos"
        return made

    return answer


class Together(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {
            **super().endpoints(),
            "/chat/completions": at_end_of_sequence(chat),
            "/completions": at_end_of_sequence(completion),
        }


VENDOR = Vendor(
    make=partial(
        Together,
        Habits(
            listing="array",
            reasoning_field="reasoning",
            unread_fields=frozenset({"max_completion_tokens"}),
            check=check,
            headers=LIMITS,
        ),
    ),
    has=OPENAI - {"logprobs"} | {"rerank"},
)
