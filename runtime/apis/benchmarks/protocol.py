"""The operations of the API `benchmarks`, and what they take and return."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from runtime.apis._api import route
from runtime.apis._metadata import ResourceMetadata
from runtime.apis._names import NamedResource, ResourceId
from runtime.apis._request import Empty, Registered, Request, Response, example
from runtime.apis.scoring.protocol import MOST_FUNCTIONS

ScoringFunctionIds = Annotated[list[NamedResource], Field(min_length=1, max_length=MOST_FUNCTIONS)]


class Benchmark(Response):
    """A benchmark: a dataset, and the functions that score what is answered to its rows."""

    identifier: str = Field(description="Its id.")
    provider_id: str = Field(description="The provider of `eval` that runs it.")
    provider_resource_id: str = Field(description="The provider's own name for it.")
    type: Literal["benchmark"] = "benchmark"
    dataset_id: str = Field(description="The dataset with its rows; empty where its provider has them.")
    scoring_functions: list[str] = Field(description="The functions that score each answer.")
    metadata: dict[str, Any] = Field(description="Your own words about it.")


class BenchmarkList(Response):
    """The benchmarks that the caller may see."""

    data: list[Benchmark] = Field(description="Every benchmark.")


class BenchmarkRequest(Request):
    """Which benchmark."""

    benchmark_id: ResourceId = Field(min_length=1, description="Its id.")


class RegisterBenchmarkRequest(Request):
    """A benchmark to have."""

    model_config = example(benchmark_id="capitals", dataset_id="capitals", scoring_functions=["basic::equality"])

    benchmark_id: ResourceId = Field(min_length=1, description="The name to ask for.")
    dataset_id: ResourceId = Field(
        "",
        description="The dataset with its rows, or `ID@DIGEST` for one of its versions. Default: none, for a provider"
        " whose benchmarks have their own.",
    )
    scoring_functions: Annotated[list[NamedResource], Field(max_length=MOST_FUNCTIONS)] = Field(
        default_factory=list,
        description="The functions that score each answer, by their ids. Default: none, for a provider whose benchmarks"
        " have their own.",
    )
    provider_benchmark_id: ResourceId | None = Field(
        None, description="The provider's own name for it. Default: the same as `benchmark_id`."
    )
    provider_id: ResourceId | None = Field(
        None, description="The provider that runs it. Default: the only one that can."
    )
    metadata: ResourceMetadata | None = Field(
        None, description="Your own words about it, at most 65,536 characters as JSON. Default: none."
    )


_AT, _ONE = "/v1alpha/eval/benchmarks", "/v1alpha/eval/benchmarks/{benchmark_id}"
_OLDER_AT, _OLDER_ONE = "/v1/eval/benchmarks", "/v1/eval/benchmarks/{benchmark_id}"


class Benchmarks(Protocol):
    @route("GET", _AT, aliases=(_OLDER_AT,), registry="list", returns=BenchmarkList)
    async def list_benchmarks(self, request: Empty) -> BenchmarkList:
        """Every benchmark."""
        ...

    @route("GET", _ONE, aliases=(_OLDER_ONE,), registry="get")
    async def get_benchmark(self, request: BenchmarkRequest) -> Benchmark:
        """One benchmark by its id. 404 with close matches for an unknown one."""
        ...

    @route("POST", _AT, aliases=(_OLDER_AT,), registry="register")
    async def register_benchmark(self, request: RegisterBenchmarkRequest) -> Benchmark:
        """Register a benchmark; it is still there after a restart.

        404 with close matches for an unknown dataset or function, 409 when the name is another's.
        """
        ...

    @route("DELETE", _ONE, aliases=(_OLDER_ONE,), registry="remove", status=204)
    async def unregister_benchmark(self, request: BenchmarkRequest) -> None:
        """Forget a registered benchmark. 409 for one of the run config."""
        ...


def answer(benchmark: Registered) -> Benchmark:
    return Benchmark(
        identifier=benchmark.id,
        provider_id=benchmark.provider_id,
        provider_resource_id=benchmark.provider_resource_id,
        dataset_id=benchmark.facts["dataset_id"],
        scoring_functions=benchmark.facts["scoring_functions"],
        metadata=dict(benchmark.metadata),
    )
