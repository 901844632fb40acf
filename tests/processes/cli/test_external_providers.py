"""Packages with providers, installed into a distribution of their own and served: by name, by an entry point, by
folders that describe them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.external_packages import FIREFLY, GLOWWORM, LANTERNS, wheel
from tests.support.small_server import SmallHandler, running, url_of
from tests.support.stack_home import Home

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry]
FF = {"provider_id": "ff", "provider_type": "remote::firefly"}


@pytest.fixture
def meadow(tmp_path: Path) -> Home:
    """A home whose uv finds the wheels in `wheels`."""
    home = Home(tmp_path / "home")
    wheels = tmp_path / "wheels"
    wheel(wheels, "meadow_worm", GLOWWORM)
    home.environment["PIP_FIND_LINKS"] = str(wheels)
    return home


def written(folder: Path, providers: Mapping[str, Any], **sections: Any) -> str:
    file = folder / "run.yaml"
    document = {"version": 2, "distro_name": "meadow", "apis": ["inference"], "providers": providers, **sections}
    file.write_text(json.dumps(document | sections))
    return str(file)


def test_a_package_is_named_built_in_two_rounds_and_served(meadow: Home, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "meadow_fly", FIREFLY)
    entry = {**FF, "module": "meadow_fly==1.0", "config": {"colour": "red"}}
    file = written(tmp_path, {"inference": [entry]})
    before = meadow("stack", "list-deps", file)
    assert "meadow_fly==1.0" in before.out and "meadow_worm" not in before.out
    assert (
        "`remote::firefly` comes with `meadow_fly==1.0`: what it is and needs is known once that is built" in before.err
    )
    with meadow.served(file) as server:  # which builds it
        assert server.models() == ["ff/spark-red"]
    after = meadow("stack", "list-deps", file)
    assert "meadow_worm==1.0" in after.out and after.err == ""
    again = meadow("stack", "build", "--config", file, "--json")
    assert json.loads(again.out)["changed"] is False
    rows = json.loads(meadow("stack", "list-providers", "inference", "--json").out)
    [row] = [row for row in rows if row["provider_type"] == "remote::firefly"]
    assert (row["package"], row["distributions"]) == ("meadow_fly", ["meadow"])
    shown = meadow("stack", "show-provider", "firefly").out
    assert "brought by" in shown and "colour\ttext\tgreen" in shown and "api_key" in shown

    wheel(tmp_path / "wheels", "meadow_worm", {"meadow_worm.py": "LIGHT = 'flame'\n"})  # the same version, made again
    assert json.loads(meadow("stack", "build", "--config", file, "--json").out)["changed"] is True
    with meadow.served(file) as server:
        assert server.models() == ["ff/flame-red"]

    wrong = written(tmp_path, {"inference": [{**entry, "config": {"color": "red"}}]})
    refused = meadow("stack", "build", "--config", wrong)
    assert refused.code == 3 and "config.color: unknown key `color` (did you mean `colour`?)" in refused.err


def test_one_that_asks_for_more_than_there_is_is_named_and_the_rest_runs(meadow: Home, tmp_path: Path) -> None:
    newer = FIREFLY["meadow_fly/provider.py"].replace('summary="Glows",', 'summary="Glows", interface=2,')
    wheel(
        tmp_path / "wheels",
        "meadow_fly",
        {**FIREFLY, "meadow_fly/provider.py": newer},
        entry_points="f = meadow_fly.provider",
    )
    wheel(tmp_path / "wheels", "meadow_lamp", LANTERNS)
    for path, text in {
        "apis/lanterns.yaml": "name: lanterns\nmodule: meadow_lamp\npip_packages: [meadow_lamp]\n",
        "more/inline/lanterns/brass.yaml": "module: meadow_lamp.brass\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    file = written(
        tmp_path,
        {"inference": [FF], "lanterns": [{"provider_id": "brass", "provider_type": "inline::brass"}]},
        apis=["inference", "lanterns"],
        additional_pip_packages=["meadow_fly"],
        external_apis_dir="apis",
        external_providers_dir="more",
    )
    built = meadow("stack", "build", "--config", file)
    why = "`remote::firefly` of the package `meadow_fly` is written for version 2 of the interface of providers"
    assert built.code == 0 and why in built.err
    with meadow.served(file) as server:
        assert server.post("/v1/lanterns", {"oil": 2}) == {"hours": 6}
        assert why in server.health("ff")["message"]
        assert why in server.log()
    assert why in meadow("stack", "list-providers").err
    assert why in meadow("stack", "show", file).err
    [lanterns] = [row for row in json.loads(meadow("stack", "list-apis", "--json").out) if row["api"] == "lanterns"]
    assert lanterns == {"api": "lanterns", "summary": "From another package, in meadow", "providers": 1}


def test_an_older_build_yaml_names_packages_too(meadow: Home, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "meadow_fly", FIREFLY)
    file = tmp_path / "build.yaml"
    chosen = {"inference": [{"provider_type": "remote::firefly", "module": "meadow_fly"}]}
    file.write_text(json.dumps({"name": "meadow", "distribution_spec": {"providers": chosen}}))
    built = meadow("stack", "build", "--config", str(file))
    assert built.code == 0, built.err
    assert "    module: meadow_fly\n" in (meadow.folder / "distributions/meadow/run.yaml").read_text()
    assert "meadow_worm==1.0" in meadow("stack", "list-deps", "meadow").out


class Parrot(SmallHandler):
    """A vendor that repeats the last message."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = {"role": "assistant", "content": body["messages"][-1]["content"]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.document(
            {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]}
        )


def test_a_package_that_was_written_for_llama_stack_is_served(meadow: Home, tmp_path: Path) -> None:
    """The real one, with the llama-stack that it was made for; without torch, which it asks for and never uses here."""
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Parrot)) as vendor:
        entry = {
            "provider_id": "ramalama",
            "provider_type": "remote::ramalama",
            "module": "ramalama-stack==0.2.3 --no-deps",
            "config": {"url": url_of(vendor)},
        }
        model = {"model_id": "tiny", "provider_id": "ramalama", "model_type": "llm"}
        file = written(
            tmp_path,
            {"inference": [entry]},
            additional_pip_packages=["llama-stack==0.2.11"],
            registered_resources={"models": [model]},
        )
        with meadow.served(file) as server:
            assert server.chat("tiny", "Hello there")["choices"][0]["message"]["content"] == "Hello there"
