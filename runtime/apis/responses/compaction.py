"""Conversations made shorter. https://platform.openai.com/docs/api-reference/responses/compact"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from runtime.apis._request import Response, example
from runtime.apis.inference.guardrails import Guardrails
from runtime.apis.responses.request import ConversationName, ResponseHistory
from runtime.apis.responses.response import ResponseUsage


class CompactRequest(ResponseHistory):
    """A conversation to be made shorter."""

    model_config = example(
        model="SmolLM2-135M-Instruct",
        input=[
            {"role": "user", "content": "What is the capital of Japan?"},
            {"role": "assistant", "content": "Tokyo."},
        ],
    )

    instructions: str | None = Field(None, description="What is to be observed in the summary. Default: nothing.")
    conversation: ConversationName | None = Field(
        None, description="The conversation to be made shorter, which stays as it is. Default: none."
    )
    store: bool | None = Field(
        None, description="Whether the result is kept, so that its id can be continued. The default is true."
    )
    service_tier: str | None = Field(
        None,
        description="How quickly, and at which price: `auto`, `default`, `flex`, `priority`. Default: the provider's.",
    )
    prompt_cache_key: str | None = Field(
        None, description="Requests with the same key and beginning share the provider's cache. Default: none."
    )
    guardrails: Guardrails = None


class CompactedResponse(Response):
    """A conversation that was made shorter: send `output` as input, or continue `id`."""

    id: str = Field(description="By which it is continued, if it is kept.")
    object: Literal["response.compaction"] = "response.compaction"
    created_at: int = Field(description="When it was made, in seconds since 1970.")
    output: list[dict[str, Any]] = Field(
        description="The messages of users, systems and developers as they are, then a `compaction` with a summary of"
        " everything else, which only this server can read."
    )
    usage: ResponseUsage = Field(description="What the summary took. Zeros where the provider does not count.")
