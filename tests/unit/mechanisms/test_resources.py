"""A kind of resource is stated once: run config, registry, routing, access and messages follow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import ANYBODY, Caller, User
from runtime.apis._request import Empty
from runtime.conformance.stacks import Served, run_config
from runtime.context import RequestContext
from runtime.context import serving as serving_for
from runtime.errors import Conflict, NotFound
from runtime.sse import decode, encode
from runtime.stack.plan import plan
from runtime.storage.kv.sqlite import SqliteKeyValueStore
from tests.support.examples import lamps
from tests.support.examples.lamps import LampRequest, RegisterLampRequest
from tests.support.mounting import mount
from tests.support.stacks import serving

PROVIDERS = {
    "inference": [],
    "lighting": [
        {"provider_id": "hall", "provider_type": "inline::switch"},
        {"provider_id": "stage", "provider_type": "inline::dimmer"},
    ],
}
SPOT = {"lamp_id": "spot", "provider_id": "stage", "provider_lamp_id": "channel-1", "watts": 500}
ANN = User(principal="ann", attributes={"teams": ("red",)})
BOB = User(principal="bob", attributes={"teams": ("blue",)})
CAT = User(principal="cat", attributes={"teams": ("red", "green")})
DAN = User(principal="dan", attributes={"teams": ("green",)})


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    mount(monkeypatch, lamps)


def configured(**sections: Any) -> Any:
    return run_config(providers=PROVIDERS, **sections)


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(configured(registered_resources={"lamps": [SPOT]}), tmp_path) as running:
        yield running


async def test_it_is_read_from_the_run_config_and_routed_by(served: Served) -> None:
    answer = await served.client.post("/v1/lighting/dim", {"lamp_id": "spot", "percent": 30})
    assert answer.json() == {"by": "stage", "lamp": "channel-1", "watts": 500, "percent": 30}
    assert (await served.client.get("/v1/lamps/spot")).json() == {
        "lamp_id": "spot",
        "provider_id": "stage",
        "watts": 500,
    }


async def test_it_is_registered_listed_and_removed(served: Served) -> None:
    made = await served.client.post("/v1/lamps", {"lamp_id": "door", "provider_id": "hall"})
    assert (made.status, made.json()["watts"]) == (200, 5)
    assert [one["lamp_id"] for one in (await served.client.get("/v1/lamps")).json()["data"]] == ["door", "spot"]
    assert (await served.client.post("/v1/lighting/on", {"lamp_id": "door"})).json()["by"] == "hall"
    assert (await served.client.request("DELETE", "/v1/lamps/door")).status == 204
    answer = await served.client.post("/v1/lighting/on", {"lamp_id": "door"})
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "lamp_not_found", "lamp_id")


async def test_what_the_run_config_says_is_not_changed_and_the_answer_says_so(served: Served) -> None:
    same = await served.client.post("/v1/lamps", SPOT)
    assert (same.status, same.json()["watts"]) == (200, 500)
    answer = await served.client.post("/v1/lamps", {**SPOT, "watts": 9})
    assert answer.status == 409 and "with another `watts`" in answer.error["message"]
    assert (await served.client.get("/v1/lamps/spot")).json()["watts"] == 500


async def test_a_registration_with_all_its_facts_outlives_the_stack(tmp_path: Path) -> None:
    run = configured(storage={"backends": {"kv_default": {"type": "kv_sqlite", "db_path": "kv.db"}}})
    async with serving(run, tmp_path) as served:
        await served.client.post("/v1/lamps", {"lamp_id": "door", "provider_id": "hall", "watts": 7})
    async with serving(run, tmp_path) as served:
        assert (await served.client.post("/v1/lighting/on", {"lamp_id": "door"})).json()["watts"] == 7


async def test_what_an_earlier_version_stored_spoils_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = configured(storage={"backends": {"kv_default": {"type": "kv_sqlite", "db_path": "kv.db"}}})
    async with serving(run, tmp_path) as served:
        for name in ("older", "odd", "door"):
            await served.client.post("/v1/lamps", {"lamp_id": name, "provider_id": "hall", "watts": 7})
    store = SqliteKeyValueStore(tmp_path / "kv.db")
    for key, value in await store.scan("registry"):
        entry = decode(value)
        if entry["id"] == "older":  # from a time when a lamp had no watts, and nobody was known by name
            del entry["facts"], entry["owner"]
        if entry["id"] == "odd":
            entry["facts"] = {"watts": "many"}
        await store.set(key, encode(entry))
    await store.close()
    async with serving(run, tmp_path) as served:
        answer = await served.client.get("/v1/lamps")
        assert [(one["lamp_id"], one["watts"]) for one in answer.json()["data"]] == [("door", 7), ("older", 5)]
        assert (await served.client.post("/v1/lighting/on", {"lamp_id": "older"})).json()["watts"] == 5
    [left_out] = [record for record in caplog.records if record.message == "registration not loaded"]
    assert left_out.__dict__["key"] == "registrations/lamp/odd"


async def test_a_method_that_an_adapter_lacks_is_a_501_that_names_both(served: Served) -> None:
    await served.client.post("/v1/lamps", {"lamp_id": "door", "provider_id": "hall"})
    answer = await served.client.post("/v1/lighting/dim", {"lamp_id": "door", "percent": 30})
    assert answer.status == 501
    assert answer.error["message"] == "Provider `hall` of the API lighting does not offer `dim`"


@pytest.mark.parametrize("path", ["/v1/lighting/glow", "/v1/glow"])
async def test_a_request_that_need_not_name_one_goes_to_the_only_provider(tmp_path: Path, path: str) -> None:
    async with serving(configured(registered_resources={"lamps": [SPOT]}), tmp_path) as served:
        assert (await served.client.post(path, {"lamp": "spot"})).json() == {"by": "stage", "lamp": "channel-1"}
        for body in ({}, {"lamp": None}):
            answer = await served.client.post(path, body)
            assert (answer.status, answer.error["param"]) == (400, "lamp")
            assert "`hall`, `stage`" in answer.error["message"] and "give `lamp`" in answer.error["message"]
    alone = {"inference": [], "lighting": PROVIDERS["lighting"][:1]}
    async with serving(run_config(providers=alone), tmp_path) as served:
        assert (await served.client.post(path)).json() == {"by": "hall", "lamp": None}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"lamp_id": "x"}, "provider_id"),
        ({"lamp_id": "x", "provider_id": "stagf"}, "provider_id"),
        ({"lamp_id": "a\nb", "provider_id": "hall"}, "lamp_id"),
        ({"lamp_id": "..", "provider_id": "hall"}, "lamp_id"),
        ({"lamp_id": "a/b", "provider_id": "hall"}, "lamp_id"),
        ({"lamp_id": "spot", "provider_id": "hall"}, "lamp_id"),
    ],
)
async def test_what_cannot_be_registered_names_the_field(served: Served, body: Any, param: str) -> None:
    answer = await served.client.post("/v1/lamps", body)
    assert (answer.status in (400, 409), answer.error["param"]) == (True, param)


@pytest.mark.parametrize("more", [{}, {"provider_id": "hall"}])
async def test_without_a_provider_nothing_can_be_registered(tmp_path: Path, more: dict[str, Any]) -> None:
    async with serving(run_config(apis=["lamps"]), tmp_path) as served:
        answer = await served.client.post("/v1/lamps", {"lamp_id": "x", **more})
        assert answer.status == 503
        assert answer.error["message"] == "The API lighting is not available: no provider is configured"


def test_an_older_key_of_the_run_config_is_read() -> None:
    planned = plan(configured(bulbs=[SPOT]))
    assert [one.lamp_id for one in planned.resources["lamps"]] == ["spot"]  # type: ignore[attr-defined]


def for_user(user: User) -> Any:
    return serving_for(RequestContext(user=user))


async def test_nothing_tells_a_name_to_who_may_not_see_it(served: Served) -> None:
    api = served.stack.api("lamps")
    with for_user(ANN):
        await api.register_lamp(RegisterLampRequest(lamp_id="annslamp", provider_id="hall"))
    seen = {}
    for user in (ANN, BOB, CAT):
        with for_user(user):
            seen[user.principal] = [one.lamp_id for one in (await api.list_lamps(Empty())).data]
    assert seen == {"ann": ["annslamp", "spot"], "bob": ["spot"], "cat": ["annslamp", "spot"]}
    with for_user(BOB):
        for name in ("annslamp", "annslamb"):
            with pytest.raises(NotFound) as unknown:
                await api.get_lamp(LampRequest(lamp_id=name))
            assert "did you mean" not in str(unknown.value.hint)
            with pytest.raises(NotFound):
                await served.stack.api("lighting").switch_on(LampRequest(lamp_id=name))
        with pytest.raises(NotFound):
            await api.unregister_lamp(LampRequest(lamp_id="annslamp"))
        with pytest.raises(Conflict) as taken:
            await api.register_lamp(RegisterLampRequest(lamp_id="annslamp", provider_id="stage"))
        assert "hall" not in taken.value.message + str(taken.value.hint)
    with for_user(CAT):
        assert (await served.stack.api("lighting").switch_on(LampRequest(lamp_id="annslamp"))).by == "hall"


@pytest.mark.parametrize("owner", [ANN, ANYBODY], ids=["ann's", "nobody's"])
async def test_what_is_registered_anew_keeps_its_owner(served: Served, owner: Caller) -> None:
    api = served.stack.api("lamps")
    with serving_for(RequestContext(user=owner)):
        await api.register_lamp(RegisterLampRequest(lamp_id="shared", provider_id="hall"))
    with for_user(CAT):
        again = RegisterLampRequest(lamp_id="shared", provider_id="hall", watts=9)
        assert (await api.register_lamp(again)).watts == 9
    for user, sees_it in ((ANN, True), (BOB, owner is ANYBODY), (DAN, owner is ANYBODY)):
        with for_user(user):
            assert ("shared" in [one.lamp_id for one in (await api.list_lamps(Empty())).data]) is sees_it


async def test_an_owner_is_known_after_a_restart(tmp_path: Path) -> None:
    run = configured(storage={"backends": {"kv_default": {"type": "kv_sqlite", "db_path": "kv.db"}}})
    async with serving(run, tmp_path) as served:
        with for_user(ANN):
            await served.stack.api("lamps").register_lamp(RegisterLampRequest(lamp_id="mine", provider_id="hall"))
    async with serving(run, tmp_path) as served:
        with for_user(BOB), pytest.raises(NotFound):
            await served.stack.api("lamps").get_lamp(LampRequest(lamp_id="mine"))
        with for_user(CAT):
            assert (await served.stack.api("lamps").get_lamp(LampRequest(lamp_id="mine"))).provider_id == "hall"
