"""Which version of Llama Guard a name means."""

from __future__ import annotations

import pytest

from runtime.catalog import CatalogModel, models
from runtime.errors import RequestError
from runtime.providers.safety._llama_guard.versions import VERSION_NAMES, VERSIONS, version_named, version_of


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("meta-llama/LlamaGuard-7b", "1"),
        ("@hf/thebloke/llamaguard-7b-awq", "1"),
        ("meta-llama/Meta-Llama-Guard-2-8B", "2"),
        ("together/meta-llama/LlamaGuard-2-8b", "2"),
        ("meta-llama/Llama-Guard-3-8B", "3-8b"),
        ("Llama-Guard-3-8B:int8", "3-8b"),
        ("llama-guard-3-8b.Q4_K_M.gguf", "3-8b"),
        ("llama-guard3", "3-8b"),
        ("ollama/llama-guard3:latest", "3-8b"),
        ("llama-guard3:1b", "3-1b"),
        ("meta-llama/Llama-Guard-3-1B-INT4", "3-1b"),
        ("meta-llama/Llama-Guard-3-11B-Vision-Turbo", "3-11b-vision"),
        ("accounts/fireworks/models/llama-guard-3-11b-vision", "3-11b-vision"),
        ("meta-llama/llama-guard-4-12b:free", "4"),
        ("Llama Guard 4", "4"),
        ("llama_guard_v4", "4"),
        ("llama-guard-11b", "3-11b-vision"),
    ],
)
def test_a_name_tells_the_version(model: str, name: str) -> None:
    assert version_of(model).name == name


@pytest.mark.parametrize(
    "model",
    [
        "llama-guard",
        "llama-guard-8b",  # 2 and 3 have that size
        "llama-guard-5",
        "llama-guard-3-70b",
        "llama-guard-3.5-8b",
        "meta-llama/Llama-Prompt-Guard-2-86M",
        "meta-llama/Llama-3.1-8B-Instruct",
        "",
    ],
)
def test_a_name_that_does_not_tell_is_refused_with_what_there_is(model: str) -> None:
    with pytest.raises(RequestError) as raised:
        version_of(model)
    assert f"`{model}`" in raised.value.message
    assert raised.value.hint is not None
    assert all(f"`{name}`" in raised.value.hint for name in VERSION_NAMES)


GUARDS = [model for model in models() if model.prompt_format.startswith("llama_guard")]


@pytest.mark.parametrize("model", GUARDS, ids=[model.descriptor for model in GUARDS])
def test_a_llama_guard_of_the_catalog_is_known_by_all_its_names(model: CatalogModel) -> None:
    version = version_of(model.model_id)
    names = [*model.names, *(vendor.name for vendor in model.vendors.values())]
    assert {version_of(name).name for name in names} == {version.name}
    assert (version.most_images != 0) == ("image" in model.modalities)


def test_a_setting_names_a_version() -> None:
    assert [version_named(f" {name.upper()} ") for name in VERSION_NAMES] == [*VERSIONS]
    with pytest.raises(RequestError) as raised:
        version_named("3")
    assert "`3`" in raised.value.message and "`3-11b-vision`" in (raised.value.hint or "")


def test_the_versions_have_their_categories() -> None:
    codes = {version.name: [category.code for category in version.categories] for version in VERSIONS}
    assert codes == {
        "1": [f"O{number}" for number in range(1, 7)],
        "2": [f"S{number}" for number in range(1, 12)],
        "3-8b": [f"S{number}" for number in range(1, 15)],
        "3-1b": [f"S{number}" for number in range(1, 14)],
        "3-11b-vision": [f"S{number}" for number in range(1, 14)],
        "4": [f"S{number}" for number in range(1, 15)],
    }


def test_a_code_means_another_category_in_another_generation() -> None:
    second, third = (
        {category.code: category.name for category in version_named(name).categories} for name in ("2", "3-8b")
    )
    assert (second["S5"], third["S5"]) == ("Specialized Advice", "Defamation")
    assert (second["S11"], third["S11"]) == ("Sexual Content", "Self-Harm")
