"""A response, as OpenAI and Open Responses have it. https://platform.openai.com/docs/api-reference/responses/object

For documentation: a response is made as a dict, member by member, while events are sent of it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from runtime.apis._request import Response
from runtime.apis.inference.guardrails import GuardrailViolation

ResponseStatus = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class InputTokensDetails(Response):
    """What the tokens read were."""

    cached_tokens: int = Field(0, description="Those that the provider had computed before.")
    cache_write_tokens: int = Field(0, description="Those that the provider keeps for later requests.")


class OutputTokensDetails(Response):
    """What the tokens written were."""

    reasoning_tokens: int = Field(0, description="Those of thinking before the answer.")


class ResponseUsage(Response):
    """Tokens of all the times that the model was asked."""

    input_tokens: int = Field(description="Tokens read.")
    input_tokens_details: InputTokensDetails = Field(description="What the tokens read were.")
    output_tokens: int = Field(description="Tokens written.")
    output_tokens_details: OutputTokensDetails = Field(description="What the tokens written were.")
    total_tokens: int = Field(description="Both together.")


class ResponseFailure(Response):
    """Why a response failed."""

    code: str = Field(description="A word for programs: `server_error`, `rate_limit_exceeded` or `invalid_prompt`.")
    message: str = Field(description="What happened.")
    type: str = Field(description="The kind of error, as in an answer that is one.")


class IncompleteDetails(Response):
    """Why a response ended before it was complete."""

    reason: str = Field(
        description="`max_output_tokens`, `content_filter`, `max_tool_calls`, `max_infer_iters` or `interrupted`."
    )


class ConversationOf(Response):
    """The conversation that a response is part of."""

    id: str = Field(description="The conversation's id.")


class ResponseObject(Response):
    """What a model answered, with what it called on the way."""

    id: str = Field(description="The response's id.")
    object: Literal["response"] = "response"
    created_at: int = Field(description="When it was begun, in seconds since 1970.")
    completed_at: int | None = Field(None, description="When it was complete, in seconds since 1970; else null.")
    status: ResponseStatus = Field(description="How far it is.")
    background: bool = Field(False, description="Whether it was made after the request had been answered.")
    error: ResponseFailure | None = Field(None, description="Why it failed; null unless it did.")
    incomplete_details: IncompleteDetails | None = Field(None, description="Why it is incomplete; null unless it is.")
    model: str = Field(description="The model, by the name in the request.")
    output: list[dict[str, Any]] = Field(description="Items: messages, thoughts and calls, in their order.")
    usage: ResponseUsage | None = Field(None, description="Token counts; null before its end.")
    instructions: str | None = Field(None, description="As in the request.")
    previous_response_id: str | None = Field(None, description="The response that it continues.")
    conversation: ConversationOf | None = Field(None, description="The conversation that it is part of.")
    tools: list[dict[str, Any]] = Field(description="What the model might call.")
    tool_choice: Any = Field(description="Which of them it had to call.")
    parallel_tool_calls: bool = Field(description="Whether it might call several at once.")
    text: dict[str, Any] = Field(description="What its text was to be like.")
    reasoning: dict[str, Any] | None = Field(None, description="How the model was to think.")
    truncation: Literal["auto", "disabled"] = Field(description="What was to be done with a long conversation.")
    temperature: float = Field(description="As in the request, else 1.")
    top_p: float = Field(description="As in the request, else 1.")
    presence_penalty: float = Field(description="As in the request, else 0.")
    frequency_penalty: float = Field(description="As in the request, else 0.")
    top_logprobs: int = Field(description="As in the request, else 0.")
    max_output_tokens: int | None = Field(None, description="As in the request.")
    max_tool_calls: int | None = Field(None, description="As in the request.")
    prompt: dict[str, Any] | None = Field(None, description="As in the request.")
    store: bool = Field(description="Whether it is kept.")
    service_tier: str = Field(description="As in the request, else `default`.")
    metadata: dict[str, str] = Field(description="As in the request.")
    safety_identifier: str | None = Field(None, description="As in the request.")
    prompt_cache_key: str | None = Field(None, description="As in the request.")
    user: str | None = Field(None, description="As in the request.")
    guardrails: Any = Field(None, description="As in the request; left out where it names none.")
    violation: GuardrailViolation | None = Field(
        None, description="What a shield has found, where that is why the output ends with a refusal; else left out."
    )
