"""Providers and APIs of packages that are installed beside us: found, refused with their reasons, and run."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import ConfigInvalid
from runtime.external.known import known_world
from runtime.stack.plan import Plan, plan, read_run_config
from runtime.stdio import one_line
from tests.support.external_packages import FIREFLY, GLOWWORM, LANTERNS, install
from tests.support.stacks import serving

ENTRY = {"provider_id": "ff", "provider_type": "remote::firefly"}


def written(folder: Path, providers: Mapping[str, Any], **sections: Any) -> Path:
    file = folder / "run.yaml"
    file.write_text(json.dumps({"version": 2, "distro_name": "test", "providers": providers, **sections}))
    return file


def planned(folder: Path, providers: Mapping[str, Any], **sections: Any) -> Plan:
    importlib.invalidate_caches()
    return plan(read_run_config(written(folder, providers, **sections), {}))


async def degraded(folder: Path) -> dict[str, str]:
    """What a stack of the run config that was written says of each provider that does not work."""
    run = read_run_config(folder / "run.yaml", {})
    async with serving(run, folder / "state") as served:
        return served.stack.degraded()


@pytest.mark.parametrize("where", ["", "meadow_fly/provider.py"])
def test_a_package_that_is_named_brings_its_provider(site: Path, tmp_path: Path, where: str) -> None:
    files = dict(FIREFLY)
    if not where:  # all of it in the package itself
        files["meadow_fly/__init__.py"] = files.pop("meadow_fly/provider.py")
    install(site, "meadow_fly", files)
    made = planned(tmp_path, {"inference": [{**ENTRY, "module": "meadow_fly==1.0", "config": {"colour": "red"}}]})
    [provider] = made.of("inference")
    assert (provider.provider_id, provider.spec.module, provider.spec.package) == ("ff", "meadow_fly", "meadow_fly")
    assert {"meadow_fly==1.0", "meadow_worm==1.0"} <= {*made.packages} and made.warnings == ()
    assert provider.config.model_dump()["colour"] == "red"


def test_its_settings_are_checked_by_its_own_model(site: Path, tmp_path: Path) -> None:
    install(site, "meadow_fly", FIREFLY)
    with pytest.raises(ConfigInvalid, match="unknown key `color`"):
        planned(tmp_path, {"inference": [{**ENTRY, "module": "meadow_fly", "config": {"color": "red"}}]})


def test_an_installed_package_says_by_an_entry_point_what_it_brings(site: Path, tmp_path: Path) -> None:
    install(site, "meadow_fly", FIREFLY, entry_points="firefly = meadow_fly.provider:get_provider_spec")
    [provider] = planned(tmp_path, {"inference": [ENTRY]}).of("inference")
    assert provider.spec.summary == "Glows" and provider.spec.module == "meadow_fly"


def test_the_module_of_an_entry_point_is_taken_before_one_of_the_packages_name(site: Path, tmp_path: Path) -> None:
    files = {path.replace("meadow_fly/", "lights/"): text for path, text in FIREFLY.items()}
    install(site, "my-fireflies", files, entry_points="firefly = lights.provider")
    [provider] = planned(tmp_path, {"inference": [{**ENTRY, "module": "my-fireflies"}]}).of("inference")
    assert provider.spec.module == "lights"


@pytest.mark.parametrize(
    "provider_py, why",
    [
        ("import a_module_that_is_not_there", "cannot be imported: there is no module `a_module_that_is_not_there`"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("class Own(BaseException): pass\nraise Own('dark')", "cannot be imported: Own: dark"),
        ("x = 1", "has no `get_provider_spec`, no `SPECS` and no `SPEC`"),
        ("def get_provider_spec(): return 7", "gives a builtins.int, which is no `runtime.spec.Spec`"),
        ("def get_provider_spec(): raise ValueError('dark')", "cannot be imported: ValueError: dark"),
        ("raise ValueError('\\x1b[31mred\\x07\\u202e')", r"ValueError: \x1b[31mred\x07\u202e"),
        (
            "from runtime.spec import remote\nSPEC = remote('moth', api='inference', summary='', adapter=':A')",
            "has no `remote::firefly` of inference (there are remote::moth)",
        ),
        (
            "from runtime.spec import remote\nSPEC = remote('firefly', api='inference', summary='', adapter=':A',"
            " interface=99)",
            "is written for version 99 of the interface of providers, and this is version 1",
        ),
        (
            "from runtime.spec import remote\nSPEC = remote('firefly', api='inference', summary='', adapter=':A',"
            " config='.nowhere:C')",
            "has settings that cannot be imported: there is no module `meadow_fly.nowhere`",
        ),
        (
            "from runtime.spec import remote\nSPEC = remote('firefly', api='inference', summary='', adapter=':A',"
            " packages='glow')",
            "has a spec whose `packages` is 'glow', and no tuple of texts",
        ),
        (
            "from runtime.spec import remote\nSPEC = remote('firefly', api='inference', summary='', adapter=':A',"
            " packages=('glow=1',))",
            "has a spec with a wrong package: `glow=1` is not a requirement",
        ),
        (
            "from runtime.spec import remote\nSPEC = remote('firefly', api='inference', summary='', adapter=':A',"
            " sample_config={'a': {1}})",
            "has a spec that cannot be kept as JSON",
        ),
        (
            "from runtime.spec import remote\nSPEC = remote('firefly', api='inference', summary='', adapter=':A',"
            " needs=('lighting',))",
            "asks for the API `lighting`, which does not exist",
        ),
        (
            "from runtime.spec import remote\nSPEC = remote('firefly', api='inference', summary='', adapter=':A',"
            " evidence='live')",
            "has a spec that cannot be kept as JSON",
        ),
        (
            "from pydantic import BaseModel\nclass C(BaseModel):\n    x: int\n"
            "from runtime.spec import remote\nSPEC = remote('firefly', api='inference', summary='', adapter=':A',"
            " default=True, config='meadow_fly.provider:C')",
            "is used where none is configured, and has settings that must be given",
        ),
        (
            "from functools import partial\nfrom runtime.spec import remote\n"
            "get_provider_spec = partial(remote, 'firefly', api='inference', summary='', adapter=7)",
            "has a spec whose `adapter` is 7",
        ),
        (
            "from runtime.spec import remote\n"
            "SPEC = remote('firefly', api='inference', summary='\\x1b]0;owned', adapter=':A')",
            r"has a spec whose `summary` is '\x1b]0;owned'",
        ),
        (
            "from runtime.spec import remote\nSPEC = remote('firefly', api='\\x1b[2J', summary='', adapter=':A')",
            r"has no `remote::firefly` of inference (it has `remote::firefly` of \x1b[2J)",
        ),
        (
            "from runtime.spec import remote\nSPEC = remote('firefly', summary='', adapter=':A')",
            "does not say of which API its `remote::firefly` is: give its spec `api='inference'`",
        ),
    ],
)
async def test_a_broken_package_is_named_with_its_reason_and_the_rest_runs(
    site: Path, tmp_path: Path, provider_py: str, why: str
) -> None:
    install(site, "meadow_fly", {**FIREFLY, "meadow_fly/provider.py": provider_py})
    made = planned(tmp_path, {"inference": [{**ENTRY, "module": "meadow_fly"}]})
    assert len(made.providers) > 1
    found = await degraded(tmp_path)
    assert list(found) == ["ff"]
    assert "`meadow_fly`" in found["ff"] and why in found["ff"]
    assert one_line(found["ff"]) == found["ff"], "nothing in it controls a terminal"
    assert any("`meadow_fly`" in warning and why in warning for warning in made.warnings)


async def test_an_adapter_that_cannot_be_imported_degrades_its_provider_alone(site: Path, tmp_path: Path) -> None:
    install(site, "meadow_fly", FIREFLY)  # without what it imports
    planned(tmp_path, {"inference": [{**ENTRY, "module": "meadow_fly"}]})
    [reason] = (await degraded(tmp_path)).values()
    assert "`meadow_worm`, which is not installed" in reason
    install(site, "meadow_worm", GLOWWORM)
    importlib.invalidate_caches()
    assert await degraded(tmp_path) == {}


def test_a_package_that_nobody_configured_may_be_broken(site: Path, tmp_path: Path) -> None:
    install(site, "moth", {"moth.py": "import nowhere"}, entry_points="moth = moth")
    made = planned(tmp_path, {"inference": []})
    assert made.warnings == ("`moth`: the package `moth` cannot be imported: there is no module `nowhere`",)
    [provider] = planned(tmp_path, {"inference": [ENTRY]}).of("inference")  # which may be the one that it brings
    assert "the package `moth` cannot be imported" in provider.spec.facts


def test_a_provider_of_an_unknown_api_is_refused(site: Path, tmp_path: Path) -> None:
    spec = "from runtime.spec import inline\nSPEC = inline('glow', api='lighting', summary='', adapter=':A')"
    install(site, "meadow_fly", {"meadow_fly/__init__.py": "", "meadow_fly/provider.py": spec})
    entry = {"provider_id": "glow", "provider_type": "inline::glow", "module": "meadow_fly"}
    made = planned(tmp_path, {"lighting": [entry]})
    [provider] = made.of("lighting")
    assert "names the API `lighting`, which does not exist" in provider.spec.facts


def test_one_of_ours_is_replaced_with_a_warning(site: Path, tmp_path: Path) -> None:
    spec = FIREFLY["meadow_fly/provider.py"].replace('"firefly"', '"openai"')
    install(site, "meadow_fly", {**FIREFLY, "meadow_fly/provider.py": spec})
    entry = {"provider_id": "o", "provider_type": "remote::openai", "module": "meadow_fly"}
    made = planned(tmp_path, {"inference": [entry]})
    assert made.of("inference")[0].spec.package == "meadow_fly"
    assert made.warnings == (
        "`meadow_fly`: `remote::openai` of inference is the one of `meadow_fly`, in place of ours",
    )


NEWER = "from runtime.spec import remote\nSPEC = remote({}, api='inference', summary='', adapter=':A', interface=99)"


def test_a_package_that_cannot_be_used_takes_nothing_of_anybody_s(site: Path, tmp_path: Path) -> None:
    """Neither one of ours nor one of another package: it is noted, and they stay."""
    install(site, "meadow_fly", FIREFLY, entry_points="firefly = meadow_fly.provider")
    install(site, "zz_moth", {"zz_moth.py": NEWER.format("'firefly'")}, entry_points="moth = zz_moth")
    install(site, "zz_owl", {"zz_owl.py": NEWER.format("'openai'")}, entry_points="owl = zz_owl")
    ours = {"provider_id": "o", "provider_type": "remote::openai", "config": {"api_key": "k"}}
    made = planned(tmp_path, {"inference": [ENTRY, ours]})
    assert [provider.spec.package for provider in made.of("inference")] == ["meadow_fly", ""]
    assert [warning.partition(":")[0] for warning in made.warnings] == ["`zz_moth`", "`zz_owl`"]
    assert all("version 99" in warning for warning in made.warnings)


def test_two_packages_of_one_type_are_told_of(site: Path, tmp_path: Path) -> None:
    install(site, "meadow_fly", FIREFLY, entry_points="firefly = meadow_fly.provider")
    other = FIREFLY["meadow_fly/provider.py"]
    install(site, "zz_fly", {"zz_fly/__init__.py": "", "zz_fly/provider.py": other,
                             "zz_fly/config.py": FIREFLY["meadow_fly/config.py"]},
            entry_points="firefly = zz_fly.provider")  # fmt: skip
    made = planned(tmp_path, {"inference": [ENTRY]})
    assert any("comes with `meadow_fly` and with `zz_fly`, which is taken" in warning for warning in made.warnings)


def described(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> str:
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    return folder.name


async def test_folders_describe_apis_and_providers(site: Path, tmp_path: Path) -> None:
    install(site, "meadow_lamp", LANTERNS)
    apis = described(
        tmp_path / "apis", {"lanterns.yaml": {"name": "lanterns", "module": "meadow_lamp", "pip_packages": ["a"]}}
    )
    providers = described(
        tmp_path / "more", {"inline/lanterns/brass.yaml": {"module": "meadow_lamp.brass", "pip_packages": ["b>=1"]}}
    )
    made = planned(
        tmp_path,
        {"lanterns": [{"provider_id": "brass", "provider_type": "inline::brass"}]},
        external_apis_dir=f"./{apis}",
        external_providers_dir=providers,
    )
    assert "lanterns" in made.apis and {"a", "b>=1"} <= {*made.packages} and made.warnings == ()
    async with serving(read_run_config(tmp_path / "run.yaml", {}), tmp_path / "state") as served:
        assert (await served.client.post("/v1/lanterns", {"oil": 2})).json() == {"hours": 6}


@pytest.mark.parametrize(
    "code, why",
    [
        ("x = 1", "has no `API = Api(...)`"),
        (
            "from runtime.apis._api import Api\nAPI = Api('lamps', object)",
            "has the API `lamps`, and its file says `lanterns`",
        ),
        ("from runtime.apis._api import Api\nAPI = Api('lanterns', 'nowhere:P')", "there is no module `nowhere`"),
        ("import nowhere", "cannot be imported: there is no module `nowhere`"),
    ],
)
async def test_an_api_that_cannot_be_loaded_is_named_and_has_no_routes(
    site: Path, tmp_path: Path, code: str, why: str
) -> None:
    install(site, "meadow_lamp", {**LANTERNS, "meadow_lamp/__init__.py": code})
    described(tmp_path / "apis", {"lanterns.yaml": {"name": "lanterns", "module": "meadow_lamp"}})
    providers = described(tmp_path / "more", {"inline/lanterns/brass.yaml": {"module": "meadow_lamp.brass"}})
    made = planned(
        tmp_path,
        {"lanterns": [{"provider_id": "brass", "provider_type": "inline::brass"}]},
        external_apis_dir="apis",
        external_providers_dir=providers,
    )
    assert any(
        "the module `meadow_lamp` of the API `lanterns`" in warning and why in warning for warning in made.warnings
    )
    assert "brass" in await degraded(tmp_path)


def test_what_is_wrong_in_a_folder_is_told_with_its_place(site: Path, tmp_path: Path) -> None:
    providers = described(
        tmp_path / "more",
        {
            "remote/inference/firefly.yaml": {"module": "meadow_fly", "pip_package": ["x"]},
            "remote/inference/moth.yaml": {"module": "nowhere"},
            "remotes/inference/wasp.yaml": {"module": "wasp"},
        },
    )
    entries = [ENTRY, {"provider_id": "m", "provider_type": "remote::moth"}]
    made = planned(tmp_path, {"inference": entries}, external_providers_dir=providers)
    firefly, moth = (provider.spec.facts for provider in made.of("inference"))
    assert "remote/inference/firefly.yaml, which cannot be read" in firefly
    assert moth == "the module `nowhere` cannot be imported: there is no module `nowhere`"
    text = "\n".join(made.warnings)
    assert "unknown key `pip_package` (did you mean `pip_packages`?)" in text
    assert "has no effect: providers are described in `remote/<api>` and `inline/<api>`" in text


MOTH = {
    "meadow_moth.py": "from runtime.spec import remote\n"
    "SPEC = remote('moth', api='inference', summary='', adapter=':A')"
}


@pytest.mark.parametrize(
    "files, why",
    [
        (["remote/inference/moth.yaml", "remote/inference/moth.yml"], "is described twice, by"),
        (["remote/infrence/moth.yaml"], "there is no API `infrence` (did you mean `inference`"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_before_a_build_and_after_it(
    site: Path, tmp_path: Path, files: list[str], why: str
) -> None:
    install(site, "meadow_moth", MOTH)
    folder = described(tmp_path / "more", {file: {"module": "meadow_moth"} for file in files})
    providers = {"inference": [{"provider_id": "m", "provider_type": "remote::moth"}]}
    after = planned(tmp_path, providers, external_providers_dir=folder)
    before = plan(
        read_run_config(tmp_path / "run.yaml", {}, to_build=True, find_world=partial(known_world, of_build=None))
    )
    for made in (before, after):
        [moth] = made.of("inference")
        assert moth.spec.facts.startswith("`remote::moth` is described") and why in moth.spec.facts
        assert any(str(tmp_path / "more") in warning and why in warning for warning in made.warnings)


def test_a_folder_of_no_api_takes_none_of_ours(site: Path, tmp_path: Path) -> None:
    folder = described(tmp_path / "more", {"remote/infrence/openai.yaml": {"module": "meadow_moth"}})
    entry = {"provider_id": "o", "provider_type": "remote::openai", "config": {"api_key": "k"}}
    made = planned(tmp_path, {"inference": [entry]}, external_providers_dir=folder)
    assert made.of("inference")[0].spec.package == ""
    assert "there is no API `infrence` (did you mean `inference`" in made.warnings[0]


def test_what_a_file_says_without_effect_is_told(site: Path, tmp_path: Path) -> None:
    install(site, "meadow_moth", MOTH)
    stated = {"module": "meadow_moth", "config_class": "meadow_moth.Config", "pip_packages": []}
    files = {"remote/inference/moth.yaml": stated, "remote/wasp.yaml": {}, "inline/inference/deep/wasp.yml": {}}
    folder = described(tmp_path / "more", files)
    lanterns = {"name": "lanterns", "module": "nowhere"}
    apis = described(tmp_path / "apis", {"a.yaml": lanterns, "b.yaml": lanterns})
    providers = {"inference": [{"provider_id": "m", "provider_type": "remote::moth"}]}
    made = planned(tmp_path, providers, external_providers_dir=folder, external_apis_dir=apis)
    told = "\n".join(made.warnings)
    assert "`config_class` has no effect: the module `meadow_moth` states its own spec" in told
    assert "has no effect: a provider is described in `remote/<api>/<name>.yaml`" in told
    assert "has no effect: a provider is described in `inline/<api>/<name>.yaml`" in told
    assert f"has no effect: {tmp_path}/apis/a.yaml describes the API `lanterns` too" in told
    assert made.of("inference")[0].spec.package == "meadow_moth"


def test_a_folder_that_is_not_there_is_a_problem_of_the_run_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="external_providers_dir: there is no folder"):
        planned(tmp_path, {}, external_providers_dir="./nowhere")
    assert planned(tmp_path, {}, external_apis_dir="./nowhere").warnings == ()
