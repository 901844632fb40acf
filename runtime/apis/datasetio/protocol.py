"""The operations of the API `datasetio`.

A version is what a dataset had at one time, and never changes: an evaluation names the one that it has used, by the
digest of its rows. A dataset is named as `ID`, which means its latest version, or as `ID@DIGEST`.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from pydantic import Field

from runtime.apis._api import route
from runtime.apis._names import ResourceId
from runtime.apis._request import AT_ONCE, Request, Response, example
from runtime.apis.datasets.protocol import DatasetRequest, Row
from runtime.errors import Conflict, NotSupported, Unavailable
from runtime.sse import Reply

VERSION = r"^(sha256:)?[0-9a-f]{8,64}$"
MOST_COLUMNS = 1000


class IterRowsRequest(Request):
    """Which rows of a dataset."""

    dataset_id: ResourceId = Field(
        min_length=1, description="The dataset: its id, or `ID@DIGEST` for one of its versions."
    )
    start_index: int | None = Field(
        None, ge=0, le=2**62, description="How many rows are left out at the beginning. Default: none."
    )
    limit: int | None = Field(
        None,
        ge=-1,
        le=2**62,
        description="The most rows; fewer come where they have more bytes than a page may have, and `has_more` says so."
        " Default: -1, no other limit.",
    )
    version: str | None = Field(
        None,
        pattern=VERSION,
        description="The digest of a version, or its first 8 digits or more. Default: the latest.",
    )
    columns: Annotated[list[str], Field(max_length=MOST_COLUMNS), AT_ONCE] | None = Field(
        None, description="Only these columns. Default: all."
    )
    filters: str | None = Field(
        None,
        max_length=64 * 1024,
        description='Only rows that fit, as JSON in the form of the filters of vector stores: `{"type": "eq", "key":'
        ' "category", "value": "history"}`. Default: all.',
    )


class RowsPage(Response):
    """Some rows of a dataset."""

    data: list[Row] = Field(description="The rows, in the order of the dataset.")
    has_more: bool = Field(description="Whether more rows follow.")
    url: str | None = Field(None, description="Always null.")
    version: str | None = Field(
        None,
        description="The version that they are of: `sha256:` and a digest, or the commit of a data store. Null where"
        " its provider has none.",
    )


class AppendRowsRequest(Request):
    """Rows to append."""

    model_config = example(dataset_id="capitals", rows=[{"question": "And of Spain?", "answer": "Madrid"}])

    dataset_id: ResourceId = Field(min_length=1, description="The dataset.")
    rows: Annotated[list[Row], AT_ONCE] = Field(description="The rows, after those that are there.")


class DatasetVersion(Response):
    """What a dataset had at one time."""

    version: str = Field(description="`sha256:` and the digest of its rows.")
    num_rows: int = Field(description="How many rows it has.")
    columns: dict[str, str] = Field(description="Its columns, in order, each with the type of its values.")
    created_at: int = Field(description="When it came to be, in seconds since 1970.")


class DatasetVersionList(Response):
    """The versions of a dataset."""

    data: list[DatasetVersion] = Field(description="Every version, the latest first.")


class DatasetIO(Protocol):
    @route(
        "GET",
        "/v1beta/datasetio/iterrows/{dataset_id:path}",
        aliases=("/v1/datasetio/iterrows/{dataset_id:path}",),
        key="dataset_id",
        returns=RowsPage,
        raises=(Conflict, NotSupported, Unavailable),
    )
    async def iterrows(self, request: IterRowsRequest) -> Reply:
        """Read rows of a dataset, a page at a time. 404 with close matches for an unknown dataset or version."""
        ...

    @route(
        "POST",
        "/v1beta/datasetio/append-rows/{dataset_id:path}",
        aliases=("/v1/datasetio/append-rows/{dataset_id:path}",),
        key="dataset_id",
        is_bulk=True,
        raises=(NotSupported, Unavailable),
    )
    async def append_rows(self, request: AppendRowsRequest) -> DatasetVersion:
        """Append rows to a dataset; they are on disk when this is answered, as a new version."""
        ...

    @route(
        "GET",
        "/v1beta/datasetio/versions/{dataset_id:path}",
        key="dataset_id",
        raises=(NotSupported, Unavailable),
    )
    async def list_versions(self, request: DatasetRequest) -> DatasetVersionList:
        """Every version of a dataset, the latest first. 501 where its provider has none."""
        ...


def page_of_rows(rows: list[Any], *, has_more: bool, version: str | None = None) -> Reply:
    """A `RowsPage` as JSON."""
    return Reply.of({"data": rows, "has_more": has_more, "url": None, "version": version})
