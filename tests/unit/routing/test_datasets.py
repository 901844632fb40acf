"""Datasets: registered with their rows, read by version, and forgotten with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from tests.support.datasets import LISTS, Lists, rows_source, with_lists
from tests.support.stacks import serving

FRANCE, SPAIN = {"question": "Of France?", "answer": "Paris"}, {"question": "Of Spain?", "answer": "Madrid"}
ROWS = "/v1beta/datasetio/iterrows/"


@pytest_asyncio.fixture
async def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Client]:
    with_lists(monkeypatch)
    async with serving(run_config(providers={"datasetio": [LISTS]}), tmp_path) as served:
        yield served.client


async def registered(client: Client, *rows: Any, **body: Any) -> Any:
    facts = {"purpose": "eval/question-answer", "source": rows_source(*rows), **body}
    answer = await client.post("/v1beta/datasets", json=facts)
    assert answer.status == 200, answer.body
    return answer.json()


async def test_a_dataset_is_registered_and_its_rows_are_read(client: Client) -> None:
    shown = await registered(client, FRANCE, SPAIN, dataset_id="capitals", metadata={"of": "countries"})
    assert shown == {
        "identifier": "capitals",
        "provider_id": "lists",
        "provider_resource_id": "capitals",
        "type": "dataset",
        "purpose": "eval/question-answer",
        "source": {"type": "rows", "rows": []},
        "metadata": {"of": "countries"},
    }
    for at in ("/v1beta/datasets", "/v1/datasets"):
        assert (await client.get(at)).json() == {"data": [shown]}
        assert (await client.get(f"{at}/capitals")).json() == shown
    page = (await client.get(f"{ROWS}capitals?start_index=1")).json()
    assert (page["data"], page["has_more"]) == ([SPAIN], False)
    page = (await client.get("/v1/datasetio/iterrows/capitals?limit=1")).json()
    assert (page["data"], page["has_more"]) == ([FRANCE], True)


async def test_one_without_a_name_gets_one(client: Client) -> None:
    one, other = await registered(client, FRANCE), await registered(client, SPAIN)
    assert one["identifier"] != other["identifier"]
    assert (await client.get(ROWS + one["identifier"])).json()["data"] == [FRANCE]


async def test_what_it_had_before_can_still_be_named(client: Client) -> None:
    await registered(client, FRANCE, dataset_id="capitals")
    before = (await client.get(ROWS + "capitals")).json()["version"]
    appended = await client.post("/v1beta/datasetio/append-rows/capitals", json={"rows": [SPAIN]})
    assert appended.json()["num_rows"] == 2
    digest = before.removeprefix("sha256:")
    for named in (f"capitals@{digest}", f"capitals@{digest[:8]}", f"capitals?version={digest}"):
        assert (await client.get(ROWS + named)).json()["data"] == [FRANCE]
    assert (await client.get(ROWS + "capitals")).json()["data"] == [FRANCE, SPAIN]
    await registered(client, SPAIN, dataset_id="capitals")
    versions = (await client.get("/v1beta/datasetio/versions/capitals")).json()["data"]
    assert [version["num_rows"] for version in versions] == [1, 2, 1]
    assert len({version["version"] for version in versions}) == 3
    both = await client.get(f"{ROWS}capitals@{digest}?version=0123456789")
    assert (both.status, both.json()["error"]["param"]) == (400, "version")


async def test_a_name_with_a_sign_in_it_is_a_name(client: Client) -> None:
    await registered(client, SPAIN, dataset_id="spain@north")
    assert (await client.get(ROWS + "spain@north")).json()["data"] == [SPAIN]


@pytest.mark.parametrize("is_there", [False, True])
async def test_no_name_hides_a_version(client: Client, is_there: bool) -> None:
    await registered(client, FRANCE, dataset_id="capitals" if is_there else "other")
    page = (await client.get(ROWS + ("capitals" if is_there else "other"))).json()
    digest = page["version"].removeprefix("sha256:")
    for version in (digest, digest[:8], f"sha256:{digest}"):
        facts = {"purpose": "eval/question-answer", "source": rows_source(SPAIN)}
        refused = await client.post("/v1beta/datasets", {"dataset_id": f"capitals@{version}", **facts})
        assert (refused.status, refused.error["param"]) == (400, "dataset_id")
        assert f"that means the version `{version}` of `capitals`" in refused.error["message"]
    assert len(Lists.latest.kept) == 1


async def test_one_that_has_such_a_name_is_still_read_by_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_lists(monkeypatch)
    named = {"dataset_id": "spain@0123456789", "purpose": "eval/question-answer", "source": rows_source(SPAIN)}
    run = run_config(providers={"datasetio": [LISTS]}, registered_resources={"datasets": [named]})
    monkeypatch.setattr(Lists, "_versions", lambda self, request: [request.resource.facts["source"]["rows"]])
    async with serving(run, tmp_path) as served:
        assert (await served.client.get(ROWS + "spain@0123456789")).json()["data"] == [SPAIN]


async def test_an_unknown_one_is_named_with_what_is_close(client: Client) -> None:
    await registered(client, FRANCE, dataset_id="capitals")
    answer = await client.get(ROWS + "capital@0123456789")
    assert answer.status == 404
    assert "`capitals`" in answer.json()["error"]["message"]


async def test_its_provider_forgets_it_too(client: Client) -> None:
    await registered(client, FRANCE, dataset_id="capitals")
    assert len(Lists.latest.kept) == 1
    assert (await client.request("DELETE", "/v1beta/datasets/capitals")).status == 204
    assert Lists.latest.kept == {}


async def test_what_cannot_be_registered_is_not_taken(client: Client) -> None:
    facts = {"dataset_id": "x", "purpose": "eval/question-answer", "source": {"uri": "https://a.example/b.csv"}}
    refused = await client.post("/v1beta/datasets", json={**facts, "source": {"type": "uri", **facts["source"]}})
    assert (refused.status, refused.json()["error"]["param"]) == (400, "source")
    assert (await client.get("/v1beta/datasets")).json() == {"data": []}
    wrong = await client.post("/v1beta/datasets", json={"dataset_id": "x", "source": rows_source(FRANCE)})
    assert (wrong.status, wrong.json()["error"]["param"]) == (400, "purpose")
    assert Lists.latest.kept == {}


async def test_of_a_dataset_of_the_run_config_no_key_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_lists(monkeypatch)
    hub = "huggingface://datasets/org/name?split=test"
    configured = [
        {"dataset_id": name, "purpose": "eval/question-answer", "source": {"type": "uri", "uri": uri}}
        for name, uri in (("far", "https://a.example/secret-key/rows.csv?sig=abc"), ("hub", hub))
    ]
    run = run_config(providers={"datasetio": [LISTS]}, registered_resources={"datasets": configured})
    async with serving(run, tmp_path) as served:
        far, named = (await served.client.get("/v1beta/datasets")).json()["data"]
    assert far["source"]["uri"] == "https://a.example/<redacted>"
    assert named["source"]["uri"] == hub
