"""The registry of datasets: one that is registered without a name gets a new one."""

from __future__ import annotations

from runtime.apis._request import Request
from runtime.apis.datasets.protocol import RegisterDatasetRequest
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


REGISTRY = DatasetsRegistry
