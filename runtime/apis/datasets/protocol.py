"""The operations of the API `datasets`, and what they take and return."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from runtime.apis._api import inner, route
from runtime.apis._metadata import ResourceMetadata
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Empty, Registered, Request, Response, example
from runtime.errors import Conflict, Unavailable

Purpose = Literal["post-training/messages", "eval/question-answer", "eval/messages-answer"]
Row = dict[str, Any]
"""A row of a dataset: values of JSON by the names of their columns."""


class URIDataSource(Request):
    """Rows that are read from an address, once: later changes there change nothing here."""

    type: Literal["uri"] = Field("uri", description="Always `uri`, which is the default.")
    uri: str = Field(
        min_length=1,
        max_length=16 * 1024 * 1024,
        description="Where the rows are: `https://`, `file://`, `data:`, `huggingface://datasets/ID?split=S`,"
        " `package://NAME/PATH`, or the id of a file of `/v1/files`. Parquet, CSV or JSON lines.",
    )


class RowsDataSource(Request):
    """Rows that stand in the request."""

    type: Literal["rows"] = Field("rows", description="Always `rows`, which is the default.")
    rows: Annotated[list[Row], AT_ONCE] = Field(
        description="The rows. What lists and shows datasets leaves them out: `iterrows` reads them."
    )


DataSource = Annotated[URIDataSource | RowsDataSource, Field(discriminator="type")]


class Dataset(Response):
    """A dataset: rows for an evaluation or for training."""

    identifier: str = Field(description="Its id.")
    provider_id: str = Field(description="The provider of `datasetio` that has its rows.")
    provider_resource_id: str = Field(description="The provider's own name for it.")
    type: Literal["dataset"] = "dataset"
    purpose: str = Field(description="What its rows are for, which says what columns they have.")
    source: dict[str, Any] = Field(description="Where the rows are from. `rows` is empty: `iterrows` reads them.")
    metadata: dict[str, Any] = Field(description="Your own words about it.")


class DatasetList(Response):
    """The datasets that the caller may see."""

    data: list[Dataset] = Field(description="Every dataset.")


class DatasetRequest(Request):
    """Which dataset."""

    dataset_id: ResourceId = Field(min_length=1, description="Its id.")


class DatasetFacts(Request):
    """What a dataset is, wherever it is stated."""

    provider_id: ResourceId | None = Field(
        None, description="The provider that has its rows. Default: the only one that can."
    )
    provider_dataset_id: ResourceId | None = Field(
        None, description="The provider's own name for it. Default: the same as `dataset_id`."
    )
    purpose: Purpose = Field(
        description="What its rows are for: `eval/question-answer` (columns `question` and `answer`),"
        " `eval/messages-answer` (`messages` and `answer`) or `post-training/messages` (`messages`)."
    )
    source: DataSource = Field(description="Where its rows are from.")
    metadata: ResourceMetadata | None = Field(
        None, description="Your own words about it, at most 65,536 characters as JSON. Default: none."
    )


class ConfiguredDataset(DatasetFacts):
    """A dataset of the run config."""

    dataset_id: ResourceId = Field(min_length=1, description="The name to ask for.")


class RegisterDatasetRequest(DatasetFacts):
    """A dataset to have."""

    model_config = example(
        dataset_id="capitals",
        purpose="eval/question-answer",
        source={"type": "rows", "rows": [{"question": "What is the capital of France?", "answer": "Paris"}]},
    )

    dataset_id: ResourceId | None = Field(
        None, min_length=1, description="The name to ask for. Default: a new one, which the answer has."
    )


class Datasets(Protocol):
    @route("GET", "/v1beta/datasets", aliases=("/v1/datasets",), registry="list", returns=DatasetList)
    async def list_datasets(self, request: Empty) -> DatasetList:
        """Every dataset."""
        ...

    @route("GET", "/v1beta/datasets/{dataset_id:path}", aliases=("/v1/datasets/{dataset_id:path}",), registry="get")
    async def get_dataset(self, request: DatasetRequest) -> Dataset:
        """One dataset by its id. 404 with close matches for an unknown one."""
        ...

    @route(
        "POST",
        "/v1beta/datasets",
        aliases=("/v1/datasets",),
        registry="register",
        is_bulk=True,
        raises=(Conflict, Unavailable),
    )
    async def register_dataset(self, request: RegisterDatasetRequest) -> Dataset:
        """Register a dataset; its rows are here when this is answered, and after a restart.

        With the id of a dataset that is there, it gets a new version: the one before can still be named. 409 when the
        name is another's.
        """
        ...

    @inner(registry="check")
    async def check_dataset(self, request: RegisterDatasetRequest) -> None:
        """Raise what registering it would, as far as that can be known before there are rows.

        For whoever makes these first: nothing is changed.
        """
        ...

    @route(
        "DELETE",
        "/v1beta/datasets/{dataset_id:path}",
        aliases=("/v1/datasets/{dataset_id:path}",),
        registry="remove",
        status=204,
        raises=(Unavailable,),
    )
    async def unregister_dataset(self, request: DatasetRequest) -> None:
        """Forget a registered dataset with all its versions. 409 for one of the run config."""
        ...


def answer(dataset: Registered) -> Dataset:
    source = dataset.facts["source"]
    return Dataset(
        identifier=dataset.id,
        provider_id=dataset.provider_id,
        provider_resource_id=dataset.provider_resource_id,
        purpose=dataset.facts["purpose"],
        source={**source, "rows": []} if source["type"] == "rows" else source,
        metadata=dict(dataset.metadata),
    )
