"""A dataset is its owner's: nobody else reads its rows, by whichever name or digest, nor appends to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.access import User
from runtime.apis.datasetio.protocol import AppendRowsRequest, IterRowsRequest
from runtime.apis.datasets.protocol import DatasetRequest, RegisterDatasetRequest, RowsDataSource
from runtime.conformance.stacks import run_config, serving
from runtime.context import RequestContext
from runtime.context import serving as asked_by
from runtime.errors import Conflict, NotFound

ENTRY = {"provider_id": "rows", "provider_type": "inline::localfs"}
SECRET = [{"secret": "of ann"}]


def by(principal: str) -> Any:
    return asked_by(RequestContext(user=User(principal=principal)))


def registration(name: str, rows: list[Any]) -> RegisterDatasetRequest:
    return RegisterDatasetRequest(
        dataset_id=name, purpose="eval/question-answer", source=RowsDataSource(type="rows", rows=rows)
    )


async def test_another_user_finds_it_nowhere(tmp_path: Path) -> None:
    run = run_config(providers={"inference": [], "datasetio": [ENTRY]}, persistent=True)
    async with serving(run, tmp_path) as served:
        rows: Any = served.stack.api("datasetio")
        datasets: Any = served.stack.api("datasets")
        with by("ann"):
            await datasets.register_dataset(registration("anns", SECRET))
            page = (await rows.iterrows(IterRowsRequest(dataset_id="anns"))).value()
            assert page["data"] == SECRET
        digest = page["version"].removeprefix("sha256:")
        with by("bob"):
            await datasets.register_dataset(registration("bobs", [{"secret": "of bob"}]))
            for ask in (
                lambda: rows.iterrows(IterRowsRequest(dataset_id="anns")),
                lambda: rows.iterrows(IterRowsRequest(dataset_id=f"anns@{digest}")),
                lambda: rows.iterrows(IterRowsRequest(dataset_id="bobs", version=digest)),
                lambda: rows.append_rows(AppendRowsRequest(dataset_id="anns", rows=SECRET)),
                lambda: rows.list_versions(DatasetRequest(dataset_id="anns")),
                lambda: datasets.unregister_dataset(DatasetRequest(dataset_id="anns")),
            ):
                with pytest.raises(NotFound):
                    await ask()
            with pytest.raises(Conflict):
                await datasets.register_dataset(registration("anns", SECRET))
        with by("ann"):
            assert (await rows.iterrows(IterRowsRequest(dataset_id="anns"))).value() == page
            await datasets.unregister_dataset(DatasetRequest(dataset_id="anns"))
        with by("bob"):
            await datasets.register_dataset(registration("anns", [{"secret": "of bob"}]))
            with pytest.raises(NotFound):
                await rows.iterrows(IterRowsRequest(dataset_id=f"anns@{digest}"))
