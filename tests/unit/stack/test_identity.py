"""A provider is `(api, provider_id)`: ids repeat across APIs in every real run config, and none hides another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from runtime.errors import ConfigInvalid, Unavailable
from runtime.stack.plan import check_required, plan
from tests.support import house
from tests.support.house import Prober, furnish, plain_spec, probe_spec
from tests.support.stacks import serving

TWICE = {
    "plain": [{"provider_id": "same", "provider_type": "inline::only"}],
    "probe": [{"provider_id": "same", "provider_type": "inline::broken"}],
}


@pytest.fixture
def _two(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = plain_spec("plain", config="tests.support.house:ProbeConfig")
    furnish(monkeypatch, [probe_spec("broken", "BrokenConstructor"), sound], plain=["plain"])


@pytest.mark.usefixtures("_two")
async def test_two_providers_of_one_id_are_told_apart(tmp_path: Path) -> None:
    async with serving(run_config(providers=TWICE), tmp_path) as served:
        assert list(served.stack.degraded()) == ["probe/same"]
        shown = (await served.client.get("/v1/providers")).json()["data"]
        assert [(one["api"], one["health"]["state"]) for one in shown if one["provider_id"] == "same"] == [
            ("plain", "ready"), ("probe", "degraded"),
        ]  # fmt: skip
        assert (await served.client.get("/v1/providers/same")).json()["api"] == "plain"  # the plan's first
        assert (await served.client.get("/v1/providers/same?api=probe")).json()["api"] == "probe"
        unknown = await served.client.get("/v1/providers/same?api=other")
        assert (unknown.status, unknown.error["code"]) == (404, "provider_not_found")
        await served.stack.check_required(["plain/same"])
        for name in ("same", "probe/same"):
            with pytest.raises(Unavailable, match=r"not ready: `probe/same`: "):
                await served.stack.check_required([name])


@pytest.mark.usefixtures("_two")
def test_a_required_provider_is_named_by_its_id_or_with_its_api() -> None:
    planned = plan(run_config(providers=TWICE))
    check_required(["same", "probe/same", "plain/same"], planned)
    for wrong in ("inference/same", "sme"):
        with pytest.raises(ConfigInvalid):
            check_required([wrong], planned)


async def test_one_provider_s_health_is_asked_of_that_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    class Counted(Prober):
        async def check_health(self) -> Any:
            asked.append(self.context.provider_id)
            return await super().check_health()

    monkeypatch.setattr(house, "Counted", Counted, raising=False)
    counted = {"adapter": "tests.support.house:Counted", "config": "tests.support.house:ProbeConfig"}
    specs = [plain_spec(api).__class__(**{**vars(plain_spec(api)), **counted}) for api in ("first", "second")]
    furnish(monkeypatch, specs, plain=["first", "second"])
    providers = {api: [{"provider_id": f"p-{api}", "provider_type": "inline::only"}] for api in ("first", "second")}
    async with serving(run_config(providers=providers), tmp_path) as served:
        await served.client.get("/v1/providers/p-second")
        assert asked == ["p-second"]
        await served.client.get("/v1/providers/p-thrid")
        assert asked == ["p-second"]


@pytest.mark.parametrize("odd", ["..", "a%2Fb", "%E2%80%AE", "a b", "é", "%F0%9F%98%80", "*", "."])
async def test_odd_ids_in_paths_are_not_found(tmp_path: Path, odd: str) -> None:
    async with serving(run_config(), tmp_path) as served:
        for path in (f"/v1/providers/{odd}", f"/v1/models/{odd}"):
            answer = await served.client.get(path)
            assert answer.status == 404 and answer.error["message"]
