"""Metrics as they are read from what was kept, as llama-stack 0.2 asks for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._request import Request, Response, example

MOST_MATCHERS = 100


class MetricLabelMatcher(Request):
    """What a label has to be."""

    name: str = Field(description="The label.", max_length=200)
    value: str = Field(description="What it is compared with.", max_length=1000)
    operator: Literal["=", "!=", "=~", "!~"] = Field(
        "=", description="Equal, not equal, or whether a regular expression matches all of it or not. Default: `=`."
    )


class QueryMetricsRequest(Request):
    """Which metric, of which time."""

    model_config = example(
        start_time=1767225600,
        query_type="range",
        granularity="1h",
        label_matchers=[{"name": "provider_id", "value": "openai", "operator": "="}],
    )

    metric_name: str = Field(description="Its name, such as `prompt_tokens`, with or without `llama_stack.`.")
    start_time: int = Field(ge=0, le=10**11, description="Since when, in seconds since 1970.")
    end_time: int | None = Field(None, ge=0, le=10**11, description="Until when. Default: now.")
    granularity: str = Field(
        "1d",
        pattern=r"^[1-9][0-9]{0,5}[smhdw]$",
        description="The time of which a value of a range is, such as `5m`: seconds, minutes, hours, days or weeks. "
        "Default: `1d`.",
    )
    query_type: Literal["range", "instant"] = Field(
        description="`range`: a value for each such time in which there was something; `instant`: one for all of it."
    )
    label_matchers: list[MetricLabelMatcher] = Field(
        default_factory=list, max_length=MOST_MATCHERS, description="What the labels have to be. Default: anything."
    )


class MetricDataPoint(Response):
    """A value at a time."""

    timestamp: int = Field(description="When its time begins, in seconds since 1970; of an instant, when it ends.")
    value: float = Field(description="The sum of a count, and the mean of a duration.")
    unit: str = Field(description="What it is counted in.")


class MetricLabel(Response):
    """A label of a series."""

    name: str = Field(description="Its name.")
    value: str = Field(description="Its value.")


class MetricSeries(Response):
    """The values of what has the same labels."""

    metric: str = Field(description="The metric, as it was asked for.")
    labels: list[MetricLabel] = Field(description="Its labels.")
    values: list[MetricDataPoint] = Field(description="Its values, in the order of time.")


class QueryMetricsResponse(Response):
    """What was kept of a metric."""

    data: list[MetricSeries] = Field(description="A series for each combination of labels.")
