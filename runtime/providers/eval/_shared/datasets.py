"""Rows of datasets, a page at a time, of a version that stays the same."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.apis.datasetio.protocol import VERSION, DatasetIO, IterRowsRequest
from runtime.apis.datasets.protocol import DatasetRequest, Row
from runtime.apis.datasets.protocol import Datasets as RegisteredDatasets
from runtime.errors import NotFound, NotSupported

_version = re.compile(VERSION)


@dataclass(frozen=True, kw_only=True)
class Page:
    """version: of the rows, None where the dataset's provider has none."""

    rows: list[Row]
    has_more: bool
    version: str | None


class Datasets:
    """Each method raises what `datasetio` raises: NotFound for a dataset or version that is not there, Unavailable."""

    def __init__(self, registered: RegisteredDatasets, datasetio: DatasetIO) -> None:
        self._registered = registered
        self._datasetio = datasetio

    async def check(self, dataset_id: str) -> None:
        """That it is there. Its rows are read only where the id has a version in it."""
        try:
            await self._registered.get_dataset(DatasetRequest(dataset_id=dataset_id))
        except NotFound:
            _, at, digest = dataset_id.rpartition("@")
            if not (at and _version.match(digest)):
                raise
            await self.page(dataset_id, None, 0, 1)

    async def page(self, dataset_id: str, version: str | None, first: int, most: int) -> Page:
        """version: None for the latest, or the one that the id has in it."""
        asked = IterRowsRequest(dataset_id=dataset_id, version=version, start_index=first, limit=most)
        found = (await self._datasetio.iterrows(asked)).value()
        return Page(rows=found["data"], has_more=found["has_more"] and bool(found["data"]), version=found["version"])

    async def count(self, dataset_id: str, version: str | None) -> int | None:
        """How many rows a version has; None where its provider does not say."""
        if version is None:
            return None
        try:
            found = await self._datasetio.list_versions(DatasetRequest(dataset_id=dataset_id))
        except NotSupported:
            return None
        return next((one.num_rows for one in found.data if one.version == version), None)


def without_version(dataset_id: str, version: str | None) -> str:
    """The id alone, of an `ID@DIGEST`. version: the one that it means."""
    name, at, digest = dataset_id.rpartition("@")
    is_named = bool(at and version and _version.match(digest))
    return name if is_named and _digits(version or "").startswith(_digits(digest)) else dataset_id


def _digits(version: str) -> str:
    return version.removeprefix("sha256:")
