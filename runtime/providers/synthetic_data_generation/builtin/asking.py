"""Asks a model once, and reads a row in what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from runtime.apis.inference.protocol import ChatCompletionRequest, Inference
from runtime.apis.inference.sense import making_sense, text_of
from runtime.errors import NotSupported, RequestError, StackError
from runtime.providers._background.asking import patiently
from runtime.providers._background.pacing import Pace
from runtime.providers._earlier.renaming import renamed
from runtime.providers.synthetic_data_generation.builtin.sample import Answered, Sample, Wrong, sample_of
from runtime.providers.synthetic_data_generation.builtin.seeds import RowSchema
from runtime.sse import Json, Reply, decode

_FIELDS = {
    "max_completion_tokens": "max_tokens",
    "response_format": "row_schema",
    "logprobs": "filtering_function",
}
"""Fields of a chat completion, as they are called here."""
_MOST_WORDS = 300
_PASSES = (408, 429)
"""What is refused with these may be answered later."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What stays the same each time. settings: of the chat completion. place: the field of the request that most of the
    messages come from. prompt: what was asked for, in words. schema: of a row, None for answers in words.
    wants_logprob: whether a row is scored by its probability.
    """

    settings: Json
    place: str
    prompt: str
    schema: RowSchema | None
    wants_logprob: bool


async def ask(inference: Inference, pace: Pace, question: Question, messages: Sequence[Json], seed: int) -> Answered:
    """What came of it, which may be an error that its provider has answered with. pace: of the provider; what it
    refuses for now is asked again.
    """
    asked = {**question.settings, "messages": list(messages), "seed": seed}
    if question.schema is not None:
        form = {"name": "row", "schema": question.schema.schema}
        asked["response_format"] = {"type": "json_schema", "json_schema": form}
    if question.wants_logprob:
        asked["logprobs"] = True
    fields = {**_FIELDS, "messages": question.place}
    try:
        request = ChatCompletionRequest.model_validate(asked)
        answer = await renamed(patiently(lambda: inference.chat_completion(request), pace), fields)
        assert isinstance(answer, Reply), "nothing streamed was asked for"
        with making_sense("synthetic_data_generation"):
            return _read(answer.value(), question)
    except StackError as error:
        return Answered(outcome=error)


def is_refused(error: StackError) -> bool:
    """Whether the same question would be refused again."""
    return isinstance(error, NotSupported) or (error.status < 500 and error.status not in _PASSES)


def _read(answer: Json, question: Question) -> Answered:
    """Raises whatever an answer that makes no sense leads to, NotSupported for one without the wanted probability."""
    [choice] = answer["choices"]
    text = text_of(choice["message"].get("content") or "")
    usage = answer.get("usage") or {}
    return Answered(
        outcome=_outcome(choice, text, question),
        prompt_tokens=usage.get("prompt_tokens") or 0,
        completion_tokens=usage.get("completion_tokens") or 0,
    )


def _outcome(choice: Json, text: str, question: Question) -> Sample | Wrong:
    if choice.get("finish_reason") == "length":
        return Wrong(flaw="cut", words=f"it was cut at `max_tokens`: `{_end(text)}`")
    if choice.get("finish_reason") == "content_filter":
        return Wrong(flaw="cut", words=f"it was cut by a filter of its provider: `{_end(text)}`")
    if not text.strip():
        return Wrong(flaw="empty", words="it has no text")
    if question.schema is None:
        row = {"prompt": question.prompt, "response": text}
        return Sample(row=row, written=text, told=text, logprob=_logprob(choice, question))
    try:
        row = decode(text.encode())
    except (ValueError, RecursionError):
        return Wrong(flaw="no_json", words=f"it is no JSON: `{_cut(text)}`")
    except TypeError:
        return Wrong(flaw="does_not_fit", words=f"it is no JSON object: `{_cut(text)}`")
    if wrong := question.schema.wrong(row):
        return Wrong(flaw="does_not_fit", words=wrong)
    return sample_of(row, _logprob(choice, question))


def _logprob(choice: Json, question: Question) -> float | None:
    """The mean of its tokens'. Raises NotSupported where the provider does not tell them."""
    if not question.wants_logprob:
        return None
    tokens: Any = (choice.get("logprobs") or {}).get("content")
    if not tokens:
        raise NotSupported(
            f"`{question.settings['model']}` does not tell the probabilities by which rows would be scored",
            hint="name a `scoring_function`",
            param="filtering_function",
        )
    return fmean(float(token["logprob"]) for token in tokens)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}\u2026"


def _end(text: str) -> str:
    return text if len(text) <= _MOST_WORDS else f"\u2026{text[-_MOST_WORDS:]}"


def nothing_to_make() -> RequestError:
    """Of a request that does not say what rows are wanted."""
    return RequestError(
        "The request does not say what to make up",
        hint="give `dialogs`, `row_schema`, `seed_rows` or `seed_dataset_id`",
        param="dialogs",
        code="missing_required_parameter",
    )
