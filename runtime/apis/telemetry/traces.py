"""Traces and spans as they are read, and what is asked about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from runtime.apis._request import Request, Response, example

MOST_TRACES, USUAL_TRACES, MOST_CONDITIONS, MOST_SPANS = 1000, 100, 100, 10_000
SpanStatus = Literal["ok", "error"]


class QueryCondition(Request):
    """What an attribute has to be."""

    key: str = Field(
        description="The attribute, such as `gen_ai.request.model`; or `name`, `error`, `request_id` or `trace_id`."
    )
    op: Literal["eq", "ne", "gt", "lt", "starts_with"] = Field(
        description="How it is compared: equal, not equal, greater, less, or as how it begins. Numbers as numbers, all "
        "else as text."
    )
    value: Any = Field(description="What it is compared with.")


class QueryTracesRequest(Request):
    """Which traces are wanted."""

    attribute_filters: list[QueryCondition] = Field(
        default_factory=list,
        max_length=MOST_CONDITIONS,
        description="What one of its spans has to satisfy, all of it. Default: nothing.",
    )
    since: AwareDatetime | None = Field(
        None, description="Only those that began then or later, in ISO 8601 with an offset. Default: all that are kept."
    )
    failed: bool = Field(
        False,
        description="Only those that failed: refused with a status of 400 or more, or with an answer that broke off. "
        "Default: all.",
    )
    limit: int = Field(USUAL_TRACES, ge=1, le=MOST_TRACES, description="The most traces. Default: 100.")
    offset: int = Field(0, ge=0, le=1_000_000, description="How many to pass over. Default: none.")
    order_by: list[str] = Field(
        default_factory=lambda: ["-start_time"],
        max_length=10,
        description="`start_time`, `end_time` or `duration`; a `-` before it begins with the greatest. Default: the "
        "newest first.",
    )


class Trace(Response):
    """A request and what it led to."""

    trace_id: str = Field(description="Its id: 32 hex digits.")
    root_span_id: str = Field(description="The span of the request itself.")
    start_time: datetime = Field(description="When it began.")
    end_time: datetime | None = Field(None, description="When the last of its spans ended.")
    request_id: str | None = Field(None, description="The id of the request, as in `x-request-id`.")
    name: str | None = Field(None, description="What was asked.")
    status: SpanStatus | None = Field(None, description="How the request ended.")
    http_status: int | None = Field(None, description="The status that it was answered with; null until it has ended.")
    model: str | None = Field(None, description="The first model that a provider was asked for.")
    input_tokens: int | None = Field(None, description="The tokens that all of its models have read.")
    output_tokens: int | None = Field(None, description="The tokens that all of its models have written.")
    cost_usd: float | None = Field(
        None, description="What its calls of models cost, in USD; null where no price is known of any of them."
    )
    message: str | None = Field(None, description="Why it failed, where one of its calls says so.")
    span_count: int | None = Field(None, description="How many spans it has.")


class TraceRequest(Request):
    """One trace."""

    trace_id: str = Field(description="The id of the trace.")


class TraceList(Response):
    """Traces."""

    data: list[Trace] = Field(description="Those that were wanted.")


class Span(Response):
    """Something in a trace that took time."""

    span_id: str = Field(description="Its id: 16 hex digits.")
    trace_id: str = Field(description="The trace that it belongs to.")
    parent_span_id: str | None = Field(None, description="The span that it belongs to.")
    name: str = Field(description="What happened.")
    start_time: datetime = Field(description="When it began.")
    end_time: datetime | None = Field(None, description="When it ended.")
    attributes: dict[str, Any] = Field(default_factory=dict, description="What there is to know of it, by name.")
    status: SpanStatus | None = Field(None, description="How it ended.")
    kind: Literal["server", "client", "internal"] | None = Field(
        None, description="Whether it is a request to us, a call of another server, or neither."
    )
    message: str | None = Field(None, description="Why it failed.")


class SpanRequest(Request):
    """One span of a trace."""

    trace_id: str = Field(description="The id of the trace.")
    span_id: str = Field(description="The id of the span.")


class QuerySpansRequest(Request):
    """Which spans are wanted."""

    attribute_filters: list[QueryCondition] = Field(
        default_factory=list,
        max_length=MOST_CONDITIONS,
        description="What a span has to satisfy, all of it. Default: nothing.",
    )
    attributes_to_return: list[str] | None = Field(
        None, max_length=1000, description="Only these attributes. Default: all of them."
    )
    max_depth: int | None = Field(None, ge=0, description="Also what lies so many levels below each span. Default: 0.")
    limit: int = Field(MOST_TRACES, ge=1, le=MOST_SPANS, description="The most spans. Default: 1000.")


class SpanList(Response):
    """Spans."""

    data: list[Span] = Field(description="Those that were wanted, in the order in which they began.")


class SpanTreeRequest(Request):
    """A span and what lies below it."""

    span_id: str = Field(description="The id of the span.")
    attributes_to_return: list[str] | None = Field(
        None, max_length=1000, description="Only these attributes. Default: all of them."
    )
    max_depth: int | None = Field(None, ge=0, description="How many levels below it. Default: all of them.")


class SpanTree(Response):
    """A span and what lies below it."""

    data: dict[str, Span] = Field(description="Each span by its id.")


class QuerySqlRequest(Request):
    """A query in SQL."""

    model_config = example(sql="SELECT model, sum(output_tokens) AS tokens FROM spans GROUP BY model")

    sql: str = Field(
        max_length=100_000, description="One SELECT, of `spans`, a row a span, or of `traces`; DuckDB's SQL."
    )
    limit: int = Field(USUAL_TRACES, ge=1, le=10_000, description="The most rows. Default: 100.")


class QueryResult(Response):
    """What a query finds."""

    columns: list[str] = Field(description="The names of the columns.")
    rows: list[list[Any]] = Field(description="The values of each row, in their order.")
    has_more: bool = Field(description="Whether there are more rows.")
