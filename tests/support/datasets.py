"""A provider of datasets that exists only in tests: each version is a list in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from runtime.apis._request import Registered
from runtime.apis.datasetio.protocol import (
    AppendRowsRequest,
    DatasetVersion,
    DatasetVersionList,
    IterRowsRequest,
    page_of_rows,
)
from runtime.apis.datasets.protocol import DatasetRequest
from runtime.errors import NotFound, RequestError
from runtime.ids import new_id
from runtime.provider import ProviderContext
from runtime.spec import inline
from runtime.sse import Reply, encode
from tests.support.mounting import add

LISTS = {"provider_id": "lists", "provider_type": "inline::lists"}


class ListsConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Lists:
    """kept: the versions of each dataset, by what is kept of it in its registration."""

    latest: Lists

    def __init__(self, config: ListsConfig, context: ProviderContext) -> None:
        self.kept: dict[str, list[list[Any]]] = {}
        type(self).latest = self

    async def take_registration(self, resource: Registered, before: Registered | None) -> Mapping[str, Any]:
        source = resource.facts["source"]
        if source["type"] != "rows":
            raise RequestError("this provider has only rows", param="source")
        place = before.facts["place"] if before else new_id("place-")
        self.kept.setdefault(place, []).append(list(source["rows"]))
        return {"source": {"type": "rows"}, "place": place}

    async def release_registration(self, resource: Registered) -> None:
        del self.kept[resource.facts["place"]]

    async def iterrows(self, request: IterRowsRequest) -> Reply:
        rows = self._version(request)
        begin = request.start_index or 0
        end = len(rows) if request.limit in (None, -1) else begin + (request.limit or 0)
        return page_of_rows(rows[begin:end], has_more=end < len(rows), version=_digest(rows))

    async def append_rows(self, request: AppendRowsRequest) -> DatasetVersion:
        versions = self._versions(request)
        versions.append([*versions[-1], *request.rows])
        return _version(versions[-1])

    async def list_versions(self, request: DatasetRequest) -> DatasetVersionList:
        return DatasetVersionList(data=[_version(rows) for rows in reversed(self._versions(request))])

    def _versions(self, request: Any) -> list[list[Any]]:
        assert request.resource is not None, "a router names it"
        return self.kept[request.resource.facts["place"]]

    def _version(self, request: IterRowsRequest) -> list[Any]:
        versions = self._versions(request)
        if request.version is None:
            return versions[-1]
        found = [
            rows
            for rows in versions
            if _digest(rows).removeprefix("sha256:").startswith(request.version.removeprefix("sha256:"))
        ]
        if not found:
            raise NotFound(f"no version `{request.version}`", param="version")
        return found[0]


def _digest(rows: list[Any]) -> str:
    return f"sha256:{hashlib.sha256(encode(rows)).hexdigest()}"


def _version(rows: list[Any]) -> DatasetVersion:
    columns = {name: "text" for row in rows for name in row}
    return DatasetVersion(version=_digest(rows), num_rows=len(rows), columns=columns, created_at=0)


def with_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plans have it. Before the run config is made."""
    where = f"{__name__}:Lists"
    spec = inline("lists", summary="Lists, for tests", adapter=where, config=f"{where}Config")
    add(monkeypatch, [], [spec.found_in("datasetio", __name__)])


def rows_source(*rows: Any) -> dict[str, Any]:
    return {"type": "rows", "rows": list(rows)}
