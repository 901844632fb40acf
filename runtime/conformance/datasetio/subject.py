"""A provider of datasets as the suite sees it, and what the suite does with any."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from runtime.config.run_config import RunConfig
from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served, run_config
from runtime.spec import Spec

DATASETS, IO = "/v1beta/datasets", "/v1beta/datasetio"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """entry: of the run config, with the id `rows`. specs: of a provider that is not built in.

    What a subject's `Kind` may claim: `append`, takes more rows; `versions`, keeps those that a dataset had before;
    `filters`, reads only rows that fit; `data`, takes rows of a `data:` address.
    """

    entry: Mapping[str, Any]
    specs: Sequence[Spec] = ()

    @property
    def run_config(self) -> RunConfig:
        return run_config(providers={"inference": [], "datasetio": [self.entry]}, persistent=True)


async def register(served: Served, source: Mapping[str, Any], dataset_id: str = "rows") -> Answered:
    facts = {"dataset_id": dataset_id, "purpose": "eval/question-answer", "source": source}
    return await served.client.post(DATASETS, json=facts)


async def registered(served: Served, rows: Sequence[Any], dataset_id: str = "rows") -> None:
    """Register rows, which must be taken."""
    answer = await register(served, {"type": "rows", "rows": rows}, dataset_id)
    assert answer.status == 200, answer.body


async def append(served: Served, rows: Sequence[Any], dataset_id: str = "rows") -> Answered:
    return await served.client.post(f"{IO}/append-rows/{dataset_id}", json={"rows": rows})


async def page(served: Served, dataset_id: str = "rows", **query: Any) -> Answered:
    """A page of rows. query: lists are repeated, and filters are JSON."""
    asked = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in query.items()}
    return await served.client.get(f"{IO}/iterrows/{dataset_id}?{urlencode(asked, doseq=True)}")


async def rows_of(served: Served, dataset_id: str = "rows", **query: Any) -> list[Any]:
    """The same, which must be found."""
    answer = await page(served, dataset_id, **query)
    assert answer.status == 200, answer.body
    found: list[Any] = answer.json()["data"]
    return found


async def versions_of(served: Served, dataset_id: str = "rows") -> list[dict[str, Any]]:
    """The versions of a dataset, the latest first."""
    answer = await served.client.get(f"{IO}/versions/{dataset_id}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["data"]
    return found
