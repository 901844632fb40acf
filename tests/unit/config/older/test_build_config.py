"""The `build.yaml` of older systems."""

from __future__ import annotations

import pytest

from runtime.config.older.build_config import BuildConfig, is_build_config, parse_build_config
from runtime.errors import ConfigInvalid

VERSION_0_3 = """\
version: 2
distribution_spec:
  description: Quick start
  providers:
    inference:
    - provider_type: remote::ollama
    - provider_type: inline::sentence-transformers
    safety: []
image_type: venv
image_name: 0123
additional_pip_packages: [aiosqlite]
"""


def test_version_0_3_lists_provider_types() -> None:
    assert parse_build_config(VERSION_0_3) == BuildConfig(
        name="0123",
        description="Quick start",
        providers={"inference": ["remote::ollama", "inline::sentence-transformers"], "safety": []},
        additional_pip_packages=("aiosqlite",),
    )


def test_older_versions_list_names_or_give_one() -> None:
    text = """\
name: old
distribution_spec:
  providers:
    inference: remote::ollama
    safety: [inline::llama-guard]
image_type: conda
"""
    assert parse_build_config(text) == BuildConfig(
        name="old",
        description="",
        providers={"inference": ["remote::ollama"], "safety": ["inline::llama-guard"]},
        warnings=("`image_type` (line 6): conda environments are no longer made; a venv is made instead",),
    )


def test_external_providers_keep_what_brings_them() -> None:
    text = """\
distribution_spec:
  providers:
    inference: [remote::ollama]
    lighting:
    - {provider_type: "remote::lamp", module: "lamps==1"}
external_providers_dir: ./x
"""
    found = parse_build_config(text)
    assert found.providers == {"inference": ["remote::ollama"], "lighting": ["remote::lamp"]}
    assert (found.modules, found.folders) == (
        {("lighting", "remote::lamp"): "lamps==1"},
        {"external_providers_dir": "./x"},
    )


def test_every_problem_is_told_at_once() -> None:
    text = """\
distribution_spec:
  providers:
    inference:
    - provider_type: remote::x
      module: mine=1
    - 7
    - {type: remote::y}
  descripton: x
image_type: container
"""
    with pytest.raises(ConfigInvalid) as raised:
        parse_build_config(text, file="build.yaml")
    assert raised.value.message.split("\n  ") == [
        "the build config has 5 problems",
        "build.yaml:5: distribution_spec.providers.inference[0].module: `mine=1` is not a requirement; write `name`,"
        " `name>=1` or `name==1.0 --no-deps`",
        "build.yaml:6: distribution_spec.providers.inference[1]: expected a provider type such as `remote::ollama`",
        "build.yaml:7: distribution_spec.providers.inference[2]: expected a provider type such as `remote::ollama`",
        "build.yaml:8: distribution_spec.descripton: unknown key `descripton` (did you mean `description`?)",
        "build.yaml:9: image_type: the image type `container` is not available in this version (`image_type: venv`)",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1", "1: a build config is a mapping with `distribution_spec`"),
        ("distribution_spec: x", "1: distribution_spec: a build config is a mapping with `distribution_spec`"),
        ("distribution_spec: {}", "1: distribution_spec.providers: is missing"),
        ("distribution_spec: {providers: []}", "1: distribution_spec.providers: expected a mapping"),
        (
            "a: b: c",
            "1: not valid YAML: mapping values are not allowed here (text with `: ` in it needs quotes; or the line is"
            " indented too far)",
        ),
    ],
)
def test_a_file_of_another_shape_is_one_problem(text: str, problem: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        parse_build_config(text)
    assert [str(found) for found in raised.value.problems] == [problem]


def test_a_build_config_differs_from_a_run_config() -> None:
    assert [is_build_config(text) for text in (VERSION_0_3, "distro_name: x", "a: b: c", "")] == [
        True,
        False,
        False,
        False,
    ]
    assert parse_build_config(VERSION_0_3).name == "0123"
