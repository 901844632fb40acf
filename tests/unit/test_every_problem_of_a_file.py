"""One reading of a run config tells everything that is wrong with it, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan, read_run_config

WRONG = """\
distro_name: x
apis: [inference, infrence, 7]
providers:
  infrence: []
  inference:
  - provider_id: o
    provider_type: remote::olama
srever: 1
"""


@pytest.mark.parametrize("also", ["", "version: 9\n", "container_image: ${env.UNSET}\n"])
def test_apis_that_do_not_exist_are_told_whatever_else_is_wrong(also: str, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(WRONG + also)
    with pytest.raises(ConfigInvalid) as raised:
        read_run_config(file, {})
    found = [(problem.line, problem.path) for problem in raised.value.problems]
    assert found[:5] == [
        (2, "apis[1]"),
        (2, "apis[2]"),
        (4, "providers.infrence"),
        (6, "providers.inference[0].provider_type"),
        (8, "srever"),
    ]
    assert len(found) == (6 if also else 5)


def test_what_only_a_plan_finds_has_its_line_too_also_in_an_older_shape(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "image_name: x\napis: [infrence]\nproviders: {}\nmodels:\n- model_id: off\n  provider_id: ${env.NO:+a}\n"
        "- model_id: m\n  provider_id: nobody\n"
    )
    with pytest.raises(ConfigInvalid) as raised:
        plan(read_run_config(file, {}))
    assert {problem.line for problem in raised.value.problems} == {2, 8}


def test_what_is_missing_has_the_line_of_what_it_is_missing_in(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "version: 2\ndistro_name: x\nproviders:\n  inference:\n"
        "  - {provider_id: a, provider_type: 'remote::ollama'}\n  - {provider_id: b, provider_type: 'remote::ollama'}\n"
        "registered_resources:\n  models:\n  - model_id: m\n"
    )
    with pytest.raises(ConfigInvalid, match="names no provider") as raised:
        plan(read_run_config(file, {}))
    assert [problem.line for problem in raised.value.problems] == [9]


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ("provider_type: remote::opnai", "provider_type"),
        ("provider_type: remote::openai, config: {bse_url: x}", "config.bse_url"),
    ],
)
def test_a_provider_that_is_wrong_is_not_said_to_be_missing_as_well(wrong: str, path: str, tmp_path: Path) -> None:
    """Vector stores need inference: which is there, and wrong."""
    file = tmp_path / "run.yaml"
    file.write_text(
        f"distro_name: x\nproviders:\n  inference: [{{provider_id: a, {wrong}}}]\n"
        "  files: [{provider_id: f, provider_type: 'inline::localfs'}]\n"
        "  vector_io: [{provider_id: v, provider_type: 'inline::sqlite-vec'}]\n"
    )
    with pytest.raises(ConfigInvalid) as raised:
        plan(read_run_config(file, {}))
    assert [problem.path for problem in raised.value.problems] == [f"providers.inference[0].{path}"]
