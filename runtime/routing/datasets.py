"""The registry of datasets: one that is registered without a name gets a new one."""

from __future__ import annotations

import re

from runtime.apis._request import Request
from runtime.apis.datasetio.protocol import VERSION
from runtime.apis.datasets.protocol import RegisterDatasetRequest
from runtime.errors import RequestError
from runtime.ids import new_id
from runtime.routing.entry import Entry
from runtime.routing.registry import Registry


class DatasetsRegistry(Registry):
    """The registry of datasets."""

    def entry_of(self, request: Request) -> Entry:
        """Raises as `Registry.entry_of` does."""
        assert isinstance(request, RegisterDatasetRequest)
        if request.dataset_id is None:
            request = request.changed(dataset_id=new_id("dataset-"))
        return super().entry_of(request)

    def _check_name(self, name: str) -> None:
        super()._check_name(name)
        dataset_id, at, version = name.rpartition("@")
        if at and re.match(VERSION, version):
            raise RequestError(
                f"A dataset cannot be named `{name}`: that means the version `{version}` of `{dataset_id}`",
                hint="choose another name, such as one without `@`",
                param=self.resource.id_field,
            )


REGISTRY = DatasetsRegistry
