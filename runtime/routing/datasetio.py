"""Routes rows of datasets, whose names may have a version in them: `ID@DIGEST`."""

from __future__ import annotations

import re

from runtime.apis.datasetio.protocol import VERSION, IterRowsRequest
from runtime.errors import RequestError
from runtime.routing.forward import Router
from runtime.sse import Reply

_DATASET = "dataset_id"
_version = re.compile(VERSION)


class DatasetIORouter(Router):
    """The routed rows."""

    async def iterrows(self, request: IterRowsRequest) -> Reply:
        """Raises as a provider does, NotFound for the dataset, and RequestError for two versions."""
        dataset_id, at, version = request.dataset_id.rpartition("@")
        if at and _version.match(version) and self._owners.find(request.dataset_id) is None:
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


def _digits(version: str) -> str:
    return version.removeprefix("sha256:")


ROUTER = DatasetIORouter
