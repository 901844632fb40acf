"""What the requests and answers of inference have in common: sampling, texts as input, token counts."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, ExtensibleRequest, Response
from runtime.apis._sampling import Temperature, TopP
from runtime.apis.inference.guardrails import Guardrails, GuardrailViolation

OPEN = ConfigDict(extra="allow")
"""Of a TypedDict whose other keys travel on."""

OLDER: dict[str, JsonValue] = {"deprecated": True}
"""Of a field that OpenAI has replaced. (pydantic's own `deprecated` would warn whenever we read it.)"""

MAX_INPUTS = 2048
"""Texts in one request, as at OpenAI: work starts on all at once, and each result is kept until the last one."""

_Ids = Annotated[list[int], AT_ONCE]
_Inputs = str | Annotated[list[str], AT_ONCE] | _Ids | Annotated[list[_Ids], AT_ONCE]


def _bounded(given: _Inputs) -> _Inputs:
    if isinstance(given, list) and len(given) > MAX_INPUTS and not isinstance(given[0], int):
        raise PydanticCustomError("too_many_inputs", f"{len(given)} texts, and at most {MAX_INPUTS} in one request")
    return given


Inputs = Annotated[_Inputs, AfterValidator(_bounded)]
"""One text or several, as text or as token ids."""

USER = Field(
    None, description="Your id for the end user, passed on to the provider. OpenAI has deprecated it. Default: none."
)


class StreamOptions(TypedDict, total=False):
    """What a stream has beside the answer."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # how pydantic configures a TypedDict
    include_usage: Annotated[bool, Field(description="End the stream with a chunk of token counts. Default false.")]
    include_obfuscation: Annotated[
        bool,
        Field(
            description="Fill events up to lengths that hide what is in them; passed on to a provider that can."
            " Default: as the provider does."
        ),
    ]


class Sampling(ExtensibleRequest):
    """How an answer is chosen, and how it is sent."""

    model: ResourceId = Field(
        min_length=1, description="The model that answers: `provider_id/provider_model_id`, or an alias."
    )
    stream: bool | None = Field(
        None, description="Send the answer as server-sent events while it is made. Default false."
    )
    stream_options: StreamOptions | None = Field(
        None, description="With `include_usage: true` a stream ends with a chunk of token counts. Default: it does not."
    )
    n: int | None = Field(None, ge=1, le=128, description="How many answers to make. Default 1.")
    temperature: Temperature = None
    top_p: TopP = None
    max_tokens: int | None = Field(
        None,
        ge=0,
        description="The longest answer, in tokens. Default: the provider's, for a completion usually 16.",
    )
    stop: str | Annotated[list[str], AT_ONCE] | None = Field(
        None, description="Strings at which the answer ends, usually at most 4; they are not part of it. Default: none."
    )
    seed: int | None = Field(
        None,
        ge=-(2**63),
        lt=2**63,
        description="The same seed and request give the same answer, where the provider can. Default: random.",
    )
    frequency_penalty: float | None = Field(
        None,
        ge=-2,
        le=2,
        description="Subtracted from a token's logit for each time the answer has it. Default: the provider's, usually"
        " 0.",
    )
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="Subtracted once from the logit of a token that the answer has. Default 0."
    )
    logit_bias: dict[str, float] | None = Field(
        None, description="Token id to a number from -100 to 100 that is added to its logit. Default: none."
    )
    user: str | None = USER
    guardrails: Guardrails = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with token counts."""
        return bool(self.stream_options and self.stream_options.get("include_usage"))


class PromptTokensDetails(Response):
    """What the prompt's tokens were."""

    audio_tokens: int | None = Field(None, description="Those of audio.")
    cached_tokens: int | None = Field(None, description="Those that the provider had computed before.")


class CompletionTokensDetails(Response):
    """What the answer's tokens were."""

    accepted_prediction_tokens: int | None = Field(None, description="Those of `prediction` that are in the answer.")
    audio_tokens: int | None = Field(None, description="Those of audio.")
    reasoning_tokens: int | None = Field(None, description="Those of thinking before the answer.")
    rejected_prediction_tokens: int | None = Field(
        None, description="Those of `prediction` that are not in the answer; they count as written."
    )


class Usage(Response):
    """Tokens of a request and its answer."""

    prompt_tokens: int = Field(0, description="Tokens read; each prompt counts once.")
    completion_tokens: int = Field(0, description="Tokens written, in all choices together.")
    total_tokens: int = Field(0, description="Both together.")
    prompt_tokens_details: PromptTokensDetails | None = Field(None, description="What the tokens read were.")
    completion_tokens_details: CompletionTokensDetails | None = Field(None, description="What the tokens written were.")


AnsweredBy = Annotated[str, Field(description="The model, by the name in the request.")]


class GeneratedChoice(Response):
    """One of the answers to a request, or the next part of one."""

    index: int = Field(description="Which of the `n` answers this is, from 0.")
    finish_reason: str | None = Field(
        None,
        description="Why the answer ended: `stop`, `length`, `tool_calls`, `content_filter`, `function_call`, or a"
        " provider's own word; null before its end.",
    )


class GeneratedAnswer(Response):
    """What every answer of generated text has, whole or in chunks."""

    id: str = Field(description="The answer's id; all chunks of a stream have the same.")
    created: int = Field(description="When the answer was begun, in seconds since 1970.")
    model: AnsweredBy
    usage: Usage | None = Field(None, description="Token counts; in a stream only in its last chunk, if asked for.")
    system_fingerprint: str | None = Field(
        None, description="The provider's own name for what made the answer, if it has one."
    )
    violation: GuardrailViolation | None = Field(
        None, description="What a shield has found, where that is why the answer is a refusal; else it is left out."
    )
