"""The answers of the earlier inference API, whole and streamed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._earlier.answers import ContentDelta, Metric, TokenLogProbs
from runtime.apis._earlier.messages import CompletionMessage, StopReason
from runtime.apis._request import Response


class _Measured(Response):
    """What every answer has beside itself."""

    metrics: list[Metric] | None = Field(None, description="Token counts; in a stream in its last event.")


class _Whole(_Measured):
    """A whole answer."""

    logprobs: list[TokenLogProbs] | None = Field(None, description="Of each token; null unless asked for.")


class EarlierChatAnswer(_Whole):
    """A whole chat answer."""

    completion_message: CompletionMessage = Field(description="The model's message.")


class EarlierChatEvent(Response):
    """The next part of a chat answer."""

    event_type: Literal["start", "progress", "complete"] = Field(
        description="`start` comes first and `complete` last, both without new text."
    )
    delta: ContentDelta = Field(description="What is new.")
    logprobs: list[TokenLogProbs] | None = Field(None, description="Of the new tokens; null unless asked for.")
    stop_reason: StopReason | None = Field(None, description="Why the answer ended, in `complete`.")


class EarlierChatChunk(_Measured):
    """One event of a streamed chat answer."""

    event: EarlierChatEvent = Field(description="The event.")


class EarlierCompletion(_Whole):
    """A whole text completion."""

    content: str = Field(description="The text that follows.")
    stop_reason: StopReason = Field(description="Why it ended.")


class EarlierCompletionChunk(_Whole):
    """One event of a streamed text completion."""

    delta: str = Field(description="The text that is new.")
    stop_reason: StopReason | None = Field(None, description="Why the text ended, in the last event.")


class ChatAnswerBatch(Response):
    """Chat answers."""

    batch: list[EarlierChatAnswer] = Field(description="The answers, in the order of the conversations.")


class EarlierCompletionBatch(Response):
    """Text completions."""

    batch: list[EarlierCompletion] = Field(description="The answers, in the order of the texts.")


class EarlierEmbeddings(Response):
    """Vectors."""

    embeddings: list[list[float]] = Field(description="One for each text, in their order.")
