"""A provider keeps rows under its own backend and namespace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan
from tests.support.examples import diary
from tests.support.mounting import mount
from tests.support.stacks import serving

STORAGE = {"backends": {"kv_default": {"type": "kv_sqlite", "db_path": "kv.db"}, "sql_default": {"type": "sql_sqlite"}}}


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    mount(monkeypatch, diary)


def keeping(backend: str, namespace: str) -> Any:
    config = {"persistence": {"backend": backend, "namespace": namespace}}
    diaries = [{"provider_id": "d", "provider_type": "inline::diary", "config": config}]
    return run_config(providers={"inference": [], "diaries": diaries}, storage=STORAGE)


async def test_rows_are_there_after_a_restart_and_apart_from_others(tmp_path: Path) -> None:
    async with serving(keeping("kv_default", "ann"), tmp_path) as served:
        assert (await served.client.post("/v1/diary", {"day": "1", "text": "rain"})).status == 201
    async with serving(keeping("kv_default", "bob"), tmp_path) as served:
        assert (await served.client.get("/v1/diary")).json()["data"] == []
        await served.client.post("/v1/diary", {"day": "1", "text": "sun"})
    async with serving(keeping("kv_default", "ann"), tmp_path) as served:
        assert (await served.client.get("/v1/diary")).json()["data"] == [{"day": "1", "text": "rain"}]


@pytest.mark.parametrize(
    ("backend", "words"), [("kv_defalt", "did you mean `kv_default`"), ("sql_default", "`sql_sqlite`")]
)
def test_a_wrong_backend_is_found_before_anything_starts(backend: str, words: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        plan(keeping(backend, "ann"))
    [problem] = caught.value.problems
    assert problem.path == "providers.diaries[0].config.persistence.backend"
    assert words in str(problem)
