"""Implements `DatasetIO` over NeMo: registering a dataset makes it known to the entity store, and rows are read from
the files of the data store. What the run config lists is not made known: it is there already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.apis._request import Registered
from runtime.apis.datasetio.protocol import IterRowsRequest, page_of_rows
from runtime.errors import NotSupported, RequestError
from runtime.http.auth import Bearer
from runtime.invalid.vocabulary import shortened
from runtime.provider import ProviderContext
from runtime.providers._vendors.nvidia.entities import Entities, Named
from runtime.providers.datasetio.nvidia.config import NvidiaDatasetsConfig
from runtime.providers.datasetio.nvidia.data_store import DataStore
from runtime.providers.datasetio.nvidia.reading import Reading, Wanted
from runtime.sse import Reply

_TOLD = ("format", "description")
"""What a dataset's metadata say of it to NeMo."""


class NvidiaDatasets:
    """Each method raises what `HttpClient` raises, too."""

    def __init__(self, config: NvidiaDatasetsConfig, context: ProviderContext) -> None:
        self._config = config
        self._provider_id = context.provider_id
        url = config.datasets_url.rstrip("/").removesuffix("/v1")
        http = context.http.with_auth(Bearer(context.keys), address=url)
        self._entities = Entities(http, f"{url}/v1/datasets")
        self._store = DataStore(config.datastore_url, context) if config.datastore_url else None
        self._reading = Reading(self._store) if self._store else None

    async def check_registration(self, resource: Registered) -> None:
        """Raises RequestError for rows that NeMo cannot read."""
        source = resource.facts["source"]
        if source["type"] == "rows":
            raise RequestError(
                f"`{self._provider_id}` takes no rows: NeMo reads files",
                hint="upload them to the data store, and say `hf://datasets/NAMESPACE/NAME` as `uri`; or register the"
                " rows with `inline::localfs`",
                param="source",
            )
        uri = source["uri"].strip()
        if "://" not in uri:
            raise RequestError(
                f"NeMo cannot read `{shortened(uri)}`", hint="as in `hf://datasets/NAMESPACE/NAME`", param="source"
            )

    async def take_registration(self, resource: Registered, before: Registered | None) -> Mapping[str, Any]:
        """Raises Conflict for a name that has another dataset there."""
        uri = resource.facts["source"]["uri"].strip()
        named = Named(namespace=self._config.dataset_namespace, name=resource.provider_resource_id)
        facts = {"files_url": uri}
        if self._config.project_id:
            facts["project"] = self._config.project_id
        facts |= {name: text for name in _TOLD if isinstance(text := resource.metadata.get(name), str)}
        return await self._entities.take(resource, before, named, facts)

    async def release_registration(self, resource: Registered) -> None:
        """The files stay where they are."""
        await self._entities.release(resource)

    async def iterrows(self, request: IterRowsRequest) -> Reply:
        """Raises NotSupported for filters and for files that are not in the data store, NotFound for an unknown
        version, RequestError for unknown columns, Unavailable for files whose rows cannot be read.
        """
        assert request.resource is not None, "a router names it"
        source = request.resource.facts["source"]
        uri = source.get("uri", "").strip()
        if self._store is None or self._reading is None:
            raise NotSupported(
                f"provider `{self._provider_id}` does not know where NeMo's data store is, so it reads no rows",
                hint="set `datastore_url` in its config",
            )
        if request.filters:
            raise NotSupported(
                f"provider `{self._provider_id}` has no filters",
                hint="read all rows, or register the dataset with `inline::localfs`",
                param="filters",
            )
        files = await self._store.files(uri, request.version)
        limit = None if request.limit in (None, -1) else request.limit
        wanted = Wanted(
            start=request.start_index or 0,
            limit=limit,
            columns=request.columns,
            most_bytes=self._config.max_page_bytes,
        )
        rows, has_more = await self._reading.page(files, wanted)
        return page_of_rows(rows, has_more=has_more, version=files.commit)
