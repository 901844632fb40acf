"""What an application tells of itself: log lines, numbers, and spans of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from runtime.apis._names import ResourceId
from runtime.apis._request import Request, example
from runtime.apis.telemetry.traces import MOST_CONDITIONS, QueryCondition, SpanStatus

_ID_LENGTH, _NAME_LENGTH, _TEXT_LENGTH, _MOST_ATTRIBUTES = 200, 200, 64 * 1024, 128
_WEEK_S = 7 * 24 * 3600
_TEN_YEARS_S = 10 * 365 * 24 * 3600
LogSeverity = Literal["verbose", "debug", "info", "warn", "error", "critical"]
AttributeValue = str | bool | int | float | None
_FIRST, _AFTER_LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def _in_utc(time: datetime) -> datetime:
    """Within what every part here can count with; raises ValueError for another time."""
    with_zone = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    if not _FIRST <= with_zone < _AFTER_LAST:
        raise ValueError("is to be from 1970 to 9998")
    return with_zone


class _Event(Request):
    """Something that has happened."""

    trace_id: str = Field(min_length=1, max_length=_ID_LENGTH, description="The trace that it belongs to.")
    span_id: str = Field(min_length=1, max_length=_ID_LENGTH, description="The span of it that it belongs to.")
    timestamp: Annotated[datetime, AfterValidator(_in_utc)] = Field(
        description="When it happened, from 1970 to 9998; without a time zone, in UTC."
    )
    attributes: dict[str, AttributeValue] | None = Field(
        None, max_length=_MOST_ATTRIBUTES, description="What else there is to know of it, by name. Default: nothing."
    )


class UnstructuredLogEvent(_Event):
    """A log line."""

    type: Literal["unstructured_log"] = Field(
        "unstructured_log", description="Always `unstructured_log`, also by default."
    )
    message: str = Field(max_length=_TEXT_LENGTH, description="The line.")
    severity: LogSeverity = Field(description="How much it matters.")


class MetricEvent(_Event):
    """A number."""

    type: Literal["metric"] = Field("metric", description="Always `metric`, also by default.")
    metric: str = Field(min_length=1, max_length=_NAME_LENGTH, description="What was measured.")
    value: float = Field(description="How much that was.")
    unit: str = Field(max_length=_NAME_LENGTH, description="In which unit.")


class SpanStartPayload(Request):
    """A span begins."""

    type: Literal["span_start"] = Field("span_start", description="Always `span_start`, also by default.")
    name: str = Field(min_length=1, max_length=_NAME_LENGTH, description="What happens.")
    parent_span_id: str | None = Field(
        None, max_length=_ID_LENGTH, description="The span that it belongs to. Default: none."
    )


class SpanEndPayload(Request):
    """A span ends."""

    type: Literal["span_end"] = Field("span_end", description="Always `span_end`, also by default.")
    status: SpanStatus = Field(description="How it ended.")


class StructuredLogEvent(_Event):
    """The beginning or the end of a span."""

    type: Literal["structured_log"] = Field("structured_log", description="Always `structured_log`, also by default.")
    payload: Annotated[SpanStartPayload | SpanEndPayload, Field(discriminator="type")] = Field(
        description="Which of both. A span is there once it has ended, with the attributes of both."
    )


class LogEventRequest(Request):
    """Something that has happened in an application."""

    model_config = example(
        event={
            "type": "unstructured_log",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "b7ad6b7169203331",
            "timestamp": "2026-11-28T12:00:00Z",
            "message": "the answer was thrown away",
            "severity": "warn",
        }
    )

    event: Annotated[UnstructuredLogEvent | MetricEvent | StructuredLogEvent, Field(discriminator="type")] = Field(
        description="What has happened."
    )
    ttl_seconds: int = Field(_WEEK_S, ge=1, le=_TEN_YEARS_S, description="How long it stays. Default: a week.")


class ExportSpansRequest(Request):
    """Which spans become rows."""

    model_config = example(
        dataset_id="chats",
        attribute_filters=[{"key": "gen_ai.operation.name", "op": "eq", "value": "chat"}],
        attributes_to_save=["gen_ai.request.model", "gen_ai.usage.output_tokens"],
    )

    attribute_filters: list[QueryCondition] = Field(
        default_factory=list,
        max_length=MOST_CONDITIONS,
        description="What a span has to satisfy, all of it. Default: nothing.",
    )
    attributes_to_save: list[str] = Field(max_length=1000, description="Its attributes that become columns.")
    dataset_id: ResourceId = Field(min_length=1, description="The dataset that gets the rows.")
    max_depth: int | None = Field(None, ge=0, description="Also what lies so many levels below each span. Default: 0.")
