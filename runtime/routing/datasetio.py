"""Routes rows of datasets, whose names may have a version in them: `ID@DIGEST`."""

from __future__ import annotations

import re
from typing import Any

from runtime.apis.datasetio.protocol import VERSION, IterRowsRequest
from runtime.apis.datasets.protocol import RegisterDatasetRequest, Row, RowsDataSource
from runtime.errors import RequestError, StackError
from runtime.routing.forward import Router
from runtime.sse import Reply

_DATASET = "dataset_id"
_version = re.compile(VERSION)


class DatasetIORouter(Router):
    """The routed rows."""

    async def iterrows(self, request: IterRowsRequest) -> Reply:
        """Raises as a provider does, NotFound for the dataset, and RequestError for two versions."""
        dataset_id, version = self._named(request.dataset_id)
        if version is not None:
            asked = request.version or version
            if not _digits(asked).startswith(_digits(version)):
                raise RequestError(
                    f"The request names two versions, `{version}` and `{request.version}`",
                    hint="leave one of them out",
                    param="version",
                )
            request = request.changed(dataset_id=dataset_id, version=asked)
        dataset = await self._owned(request.dataset_id, _DATASET)
        read = self._method_of(dataset, "iterrows", request.dataset_id)
        page: Reply = await read(request.routed_by(dataset, _DATASET))
        return page

    async def place_for_rows_of(self, dataset_id: str) -> str:
        """The provider with which rows are registered that are made of those of a dataset: that of the dataset, else
        the first one that takes rows. dataset_id: may have a version in it.

        Raises NotFound for the dataset, and what its provider says where none would take any.
        """
        owner = await self._owned(self._named(dataset_id)[0], _DATASET)
        refusal: StackError | None = None
        for provider_id in dict.fromkeys((owner.provider_id, *self._owners.providers)):
            try:
                await self._owners.check(registration_of_rows([], provider_id))
            except StackError as error:
                refusal = refusal or error
            else:
                return provider_id
        assert refusal is not None, "the dataset has a provider"
        raise refusal

    def _named(self, name: str) -> tuple[str, str | None]:
        """A dataset, and the version of it that a name has in it, if it has."""
        dataset_id, at, version = name.rpartition("@")
        if at and _version.match(version) and self._owners.find(name) is None:
            return dataset_id, version
        return name, None


def registration_of_rows(
    rows: list[Row], provider_id: str, *, metadata: dict[str, Any] | None = None
) -> RegisterDatasetRequest:
    """Of a new dataset with rows that were made here."""
    return RegisterDatasetRequest(
        purpose="eval/question-answer", source=RowsDataSource(rows=rows), provider_id=provider_id, metadata=metadata
    )


def _digits(version: str) -> str:
    return version.removeprefix("sha256:")


ROUTER = DatasetIORouter
