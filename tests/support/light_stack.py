"""A distribution that starts in a second, as fixtures: a small server here plays the vendor whose models it serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack_home import Home
from tests.support.upstreams import Vendor, vendor_server

RUN_YAML = """\
version: 2
distro_name: light
apis: [inspect, inference]
providers:
  inference:
  - provider_id: vendor
    provider_type: remote::openai
    config: {base_url: "${env.VENDOR_URL}", api_key: "${env.OPENAI_API_KEY:=}"}
"""
KEY = "sk-of-the-vendor"


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with vendor_server(Vendor(keys=frozenset({KEY}))) as server:
        yield server


@pytest.fixture(scope="module")
def light(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of its own, since what others serve would count, where the distribution `light` is built, and the vendor's
    key is set for whatever is started.
    """
    alone = Home(tmp_path_factory.mktemp("light"))
    made = Home(alone.folder, environment={**alone.environment, "OPENAI_API_KEY": KEY, "VENDOR_URL": vendor.url})
    built = made("stack", "build", "--config", "-", stdin=RUN_YAML)
    assert built.code == 0, built.err
    return made


def servers(home: Home) -> set[Path]:
    """The records of such servers."""
    return {*(home.folder / "servers").glob("light*.json")}


def nothing_is_left(home: Home) -> bool:
    return not servers(home) and not list((home.folder / "distributions/light/instances").glob("*"))
