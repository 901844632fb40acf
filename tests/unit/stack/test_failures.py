"""No secret of a provider's settings comes back in the words of its failures, wherever it fails and whoever raised."""

from __future__ import annotations

import importlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import Served, run_config
from runtime.errors import Unavailable, UpstreamError
from runtime.provider import unhealthy
from tests.support import house
from tests.support.house import Prober, furnish, probe_spec
from tests.support.stacks import serving

PASSWORD = "pw/d@3%"
DSN = f"postgresql://me:{PASSWORD}@db.example/x"
KEY = "sk-hush-0123"


class OperationalError(Exception):
    """As a database driver raises it."""


WORDS = f"could not connect to {DSN} with {KEY}; password is {PASSWORD}, sent as pw%2Fd%403%25"
RAISED = [
    OperationalError(WORDS),
    KeyError(WORDS),
    Unavailable(f"`p` is not there: {WORDS}", hint=WORDS),
    UpstreamError(WORDS, provider_id="p"),
]


async def everything_said(served: Served) -> str:
    """All that a caller, the record and `status` can read of a provider."""
    said = [json.dumps(served.stack.degraded())]
    for path in ("/v1/providers", "/v1/providers/p", "/v1/things/1"):
        said.append((await served.client.get(path)).body.decode())
    try:
        await served.stack.check_required(["p"])
    except Unavailable as error:
        said.append(error.message)
    return "\n".join(said)


@pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", ["constructor", "start", "health", "unhealthy"])
async def test_a_failure_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, raised: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Prober):
        def __init__(self, config: Any, context: Any) -> None:
            super().__init__(config, context)
            if place == "constructor":
                raise raised

        async def start(self) -> None:
            if place == "start":
                raise raised

        async def check_health(self) -> Any:
            if place == "health":
                raise raised
            return unhealthy(str(raised))

    monkeypatch.setattr(house, "Failing", Failing, raising=False)
    furnish(monkeypatch, [probe_spec("failing", "Failing")])
    config = {"api_key": KEY, "address": DSN}
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::failing", "config": config}]})
    with caplog.at_level(logging.DEBUG):
        async with serving(run, tmp_path) as served:
            said = await everything_said(served)
            assert "p" in served.stack.degraded()
    assert not [secret for secret in (KEY, PASSWORD, "pw%2Fd%403%25") if secret in said], said
    if not isinstance(raised, Unavailable | UpstreamError) and place != "unhealthy":
        assert f"{type(raised).__name__}; the server's log says why" in said
        assert any(record.exc_info for record in caplog.records), "the log must say why"


async def test_a_failure_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Helpful(Prober):
        async def start(self) -> None:
            raise Unavailable("the folder holds no weights.", hint="download them again")

    monkeypatch.setattr(house, "Helpful", Helpful, raising=False)
    furnish(monkeypatch, [probe_spec("helpful", "Helpful")])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::helpful"}]})
    async with serving(run, tmp_path) as served:
        said = "the folder holds no weights (download them again)"
        assert served.stack.degraded() == {"p": said}
        assert (await served.client.get("/v1/providers/p")).json()["health"]["message"] == said


async def test_words_are_not_endless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Wordy(Prober):
        async def start(self) -> None:
            raise Unavailable("no " * 1_000_000)

    monkeypatch.setattr(house, "Wordy", Wordy, raising=False)
    furnish(monkeypatch, [probe_spec("wordy", "Wordy")])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::wordy"}]})
    async with serving(run, tmp_path) as served:
        assert len(served.stack.degraded()["p"]) < 2000


async def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Importing(Prober):
        async def start(self) -> None:
            importlib.import_module("no_such_driver")

    monkeypatch.setattr(house, "Importing", Importing, raising=False)
    furnish(monkeypatch, [probe_spec("importing", "Importing")])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::importing"}]})
    async with serving(run, tmp_path) as served:
        assert "`p` needs `no_such_driver`" in served.stack.degraded()["p"]


@pytest.mark.parametrize("place", ["constructor", "start", "health"])
async def test_a_provider_that_wants_to_end_the_process_ends_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    class Exiting(Prober):
        def __init__(self, config: Any, context: Any) -> None:
            super().__init__(config, context)
            if place == "constructor":
                raise SystemExit(3)

        async def start(self) -> None:
            if place == "start":
                raise SystemExit(3)

        async def check_health(self) -> Any:
            raise SystemExit(3)

    monkeypatch.setattr(house, "Exiting", Exiting, raising=False)
    furnish(monkeypatch, [probe_spec("exiting", "Exiting")])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::exiting"}]})
    async with serving(run, tmp_path) as served:
        assert (await served.client.get("/v1/providers/p")).json()["health"]["state"] == "degraded"
        assert list(served.stack.degraded()) == ["p"]
