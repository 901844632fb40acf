"""The rows of datasets that are scored, and the datasets that they become with their scores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from runtime.apis.datasetio.protocol import IterRowsRequest
from runtime.apis.datasets.protocol import Dataset, Row
from runtime.apis.scoring.protocol import SCORES, ScoringResult
from runtime.errors import RequestError, TooLarge, Unavailable
from runtime.routing.datasetio import DatasetIORouter, registration_of_rows

_PAGE_ROWS, MOST_ROWS = 1000, 100_000
MOST_BYTES = 64 * 1024**2
"""Of the rows as JSON."""
_IN_PARTS = "make it a benchmark: its job keeps the scores, and they are read page by page"


class ScoredDatasets:
    """find_api: another API that is routed, None for any other."""

    def __init__(self, find_api: Callable[[str], Any]) -> None:
        self._find_api = find_api

    async def rows_of(self, dataset_id: str) -> list[Row]:
        """All rows of one version. Raises as a provider does, NotFound for the dataset, TooLarge for one of too many
        rows or bytes, Unavailable where nothing has datasets.
        """
        return [row async for row in self._rows_of(dataset_id)]

    async def place_for(self, dataset_id: str) -> str:
        """The provider that is to have the rows with their scores, as far as can be known before there are any. Raises
        as `DatasetIORouter.place_for_rows_of` does, Unavailable where nothing has datasets.
        """
        return await self._datasetio().place_for_rows_of(dataset_id)

    async def save(
        self, dataset_id: str, rows: list[Row], results: Mapping[str, ScoringResult], *, provider_id: str
    ) -> str:
        """The id of a new dataset with the rows, each with what every function says of it. rows: that `check_unscored`
        lets pass. Raises as registering a dataset does.
        """
        scored = [
            {**row, SCORES: {name: result.score_rows[at] for name, result in results.items()}}
            for at, row in enumerate(rows)
        ]
        asked = registration_of_rows(scored, provider_id, metadata={"scores_of": dataset_id})
        saved: Dataset = await self._find_api("datasets").register_dataset(asked)
        return saved.identifier

    async def _rows_of(self, dataset_id: str) -> AsyncIterator[Row]:
        datasets = self._datasetio()
        read, size, version = 0, 0, None
        while True:
            asked = IterRowsRequest(dataset_id=dataset_id, start_index=read, limit=_PAGE_ROWS, version=version)
            reply = await datasets.iterrows(asked)
            size += len(reply.data)
            if size > MOST_BYTES:
                raise _too_large(dataset_id, f"{MOST_BYTES} bytes of rows")
            page = reply.value()
            version = page["version"]  # the rows that follow are of the same, whatever is appended meanwhile
            for row in page["data"]:
                yield row
            read += len(page["data"])
            if not page["has_more"]:
                return
            if read >= MOST_ROWS:
                raise _too_large(dataset_id, f"{MOST_ROWS} rows")

    def _datasetio(self) -> DatasetIORouter:
        datasets: DatasetIORouter | None = self._find_api("datasetio")
        if datasets is None:
            raise Unavailable("The API datasetio is not mounted, so no dataset can be scored")
        return datasets


def check_unscored(dataset_id: str, rows: list[Row]) -> None:
    """Raises RequestError for a row whose scores would take the place of something of its own."""
    for number, row in enumerate(rows, start=1):
        if SCORES in row:
            raise RequestError(
                f"Row {number} of `{dataset_id}` has a column `{SCORES}` of its own, where its scores would be saved",
                hint="leave out `save_results_dataset`, or score a dataset that calls the column otherwise",
                param="save_results_dataset",
            )


def _too_large(dataset_id: str, what: str) -> TooLarge:
    return TooLarge(
        f"The dataset `{dataset_id}` has more than {what}, which are too many for one answer", hint=_IN_PARTS
    )
