"""What is known of external providers where their packages are not installed: before a build nothing but what brings
them, after it what the distribution's interpreter has said.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from llama_cli.exits import Failure
from llama_cli.packages import known as asking
from runtime import discovery
from runtime.config.external import External, NamedProvider
from runtime.errors import ConfigInvalid
from runtime.external.known import known_world
from runtime.external.remembered import Remembered, document, fingerprint, read, remembered, write
from runtime.spec import Instead, Moved, NoEffect, Spec, live, remote
from runtime.stack.plan import Plan, plan, read_run_config

ENTRY = {"provider_id": "ff", "provider_type": "remote::firefly", "module": "firefly==1.0"}
FIREFLY = remote(
    "firefly",
    api="inference",
    summary="Glows",
    adapter=".adapter:Firefly",
    config=".config:FireflyConfig",
    module="firefly",
    package="firefly",
    packages=("glowworm", "firefly==1.0"),
    capabilities=frozenset({"tools", "chat"}),
    sample_config={"hosts": ["a"], "colour": "${env.COLOUR:=green}"},
    older={"light": Moved("colour"), "dim": NoEffect("it never was"), "lamp": Instead("colour", "gone", "say which")},
    evidence=live("a meadow"),
    key_env="FIREFLY_KEY",
)

OPENAI = replace(discovery.built_in().by_type["inference", "remote::openai"], package="mine", facts=None)


def planned(folder: Path, providers: Mapping[str, Any], of_build: Remembered | None = None, **sections: Any) -> Plan:
    file = folder / "run.yaml"
    file.write_text(json.dumps({"version": 2, "distro_name": "test", "providers": providers, **sections}))
    find = partial(known_world, of_build=of_build)
    return plan(read_run_config(file, {}, to_build=True, find_world=find))


def of_build(*specs: Spec) -> Remembered:
    """As a build keeps it, written and read."""
    stated = json.loads(json.dumps(document(discovery.built_in().beside((), specs))))
    return remembered(stated, named="", python="")


def test_before_a_build_only_the_package_is_known(tmp_path: Path) -> None:
    made = planned(tmp_path, {"inference": [{**ENTRY, "config": {"anything": 1}}]})
    assert "firefly==1.0" in made.packages
    [warning] = made.warnings
    assert warning.startswith("`providers.inference[0]` (line 1): `remote::firefly` comes with `firefly==1.0`: what it")


def test_after_a_build_its_spec_is_known_and_any_settings_will_do(tmp_path: Path) -> None:
    made = planned(tmp_path, {"inference": [{**ENTRY, "config": {"light": "red", "dim": 1}}]}, of_build(FIREFLY))
    [provider] = made.of("inference")
    assert provider.spec.summary == "Glows" and "glowworm" in made.packages
    assert provider.config.model_dump() == {"colour": "red"} and made.warnings == ()  # where `light` is today


def test_an_address_with_a_password_is_told_without_it(tmp_path: Path) -> None:
    address = "firefly @ https://me:swordfish@app.example/firefly-1.0-py3-none-any.whl"
    made = planned(tmp_path, {"inference": [{**ENTRY, "module": address}]})
    told = [*made.warnings, *(str(provider.spec.facts) for provider in made.of("inference"))]
    assert any("app.example" in words for words in told) and not any("swordfish" in words for words in told)


def test_an_import_without_end_ends_the_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(command: list[str], *, limit_s: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, limit_s)

    monkeypatch.setattr(asking, "answer_of", hangs)
    one = NamedProvider(api="inference", provider_type="remote::firefly", module="firefly==1.0")
    with pytest.raises(Failure, match="an import has not ended after 300 s") as raised:
        asking.ask(tmp_path, Path("python"), tmp_path / "run.yaml", External(providers=(one,)), {})
    assert raised.value.hint and "firefly==1.0" in raised.value.hint


def test_another_version_is_not_the_one_that_was_built(tmp_path: Path) -> None:
    made = planned(tmp_path, {"inference": [{**ENTRY, "module": "firefly==2.0"}]}, of_build(FIREFLY))
    assert {"firefly==2.0"} == {package for package in made.packages if package.startswith(("firefly", "glow"))}


def test_what_is_kept_is_what_was_said() -> None:
    [kept] = of_build(FIREFLY).specs
    assert replace(kept, config=FIREFLY.config) == FIREFLY


def test_a_spec_is_kept_though_its_settings_are_not_here() -> None:
    stated = json.loads(json.dumps(document(discovery.built_in().beside((), [FIREFLY, OPENAI]))))
    without, with_settings = remembered(stated, named="", python="").settings
    assert without == {} and "base_url" in with_settings["properties"]


def test_additional_packages_may_bring_any_provider(tmp_path: Path) -> None:
    entry = {"provider_id": "ff", "provider_type": "remote::firefly"}
    made = planned(tmp_path, {"inference": [entry]}, additional_pip_packages=["firefly"])
    assert "comes with one of `firefly`" in made.warnings[0]
    with pytest.raises(ConfigInvalid, match="`remote::firefly` is not a provider of inference"):
        planned(tmp_path, {"inference": [entry]}, of_build(), additional_pip_packages=["firefly"])
    with pytest.raises(ConfigInvalid, match="`remote::firefly` is not a provider of inference"):
        planned(tmp_path, {"inference": [entry]})


def test_a_file_that_cannot_be_read_is_named_and_its_type_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "more/remote/inference/firefly.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("module: [")
    entry = {"provider_id": "ff", "provider_type": "remote::firefly"}
    made = planned(tmp_path, {"inference": [entry]}, external_providers_dir="more")
    [provider] = made.of("inference")
    assert provider.spec.facts == f"`remote::firefly` is described by {file}, which cannot be read"
    assert any(note.file == str(file) for note in made.noted)


def test_an_external_api_and_its_resources_are_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "apis").mkdir()
    (tmp_path / "apis/lanterns.yaml").write_text("name: lanterns\nmodule: lanterns\npip_packages: [lanterns]\n")
    made = planned(
        tmp_path,
        {"lanterns": [{"provider_id": "brass", "provider_type": "inline::brass", "module": "brass"}]},
        external_apis_dir="apis",
        registered_resources={"lanterns": [{"lantern_id": "one"}]},
    )
    assert "lanterns" in made.apis and {"brass", "lanterns"} <= {*made.packages}


def test_what_was_kept_counts_while_the_same_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "distributions/test"
    folder.mkdir(parents=True)
    run_yaml = tmp_path / "run.yaml"
    planned(tmp_path, {"inference": [ENTRY]})
    named = read_run_config(run_yaml, {}, find_world=lambda named: discovery.built_in()).external
    write(folder, document(discovery.built_in().beside((), [FIREFLY])), named=fingerprint(named), python="python")
    found = read(folder)
    assert found is not None and (found.named, found.python) == (fingerprint(named), "python")
    assert fingerprint(replace(named, packages=("more",))) != fingerprint(named)
    (folder / "providers.json").write_text('{"specs": [{"provider_typ": 1}]}')
    assert read(folder) is None
