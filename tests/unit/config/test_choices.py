"""Models of the user's own for one run: what of a run config they change."""

from __future__ import annotations

import pytest

from runtime.config.choices import with_own_models, without_providers
from runtime.config.run_config import RunConfig
from runtime.conformance.stacks import run_config
from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan
from tests.support.stacks import openai_at

ENGINE = {
    "provider_id": "llama",
    "provider_type": "inline::meta-reference",
    "config": {"model": "a/configured", "checkpoint_dir": "/configured", "threads": 2, "max_seq_len": "512"},
}
REMOTE = openai_at("http://localhost:1/v1")


def configs(run: RunConfig) -> dict[str, dict[str, object]]:
    """Each provider's settings, as its own config model has them."""
    return {provider.provider_id: provider.config.model_dump() for provider in plan(run).of("inference")}


def test_a_model_takes_the_place_of_the_configured_one_and_keeps_its_settings() -> None:
    run, required = with_own_models(run_config(REMOTE, ENGINE), ["/mine.gguf"], require_gpu=False)
    assert required == ["llama"]
    assert list(configs(run)) == ["vendor", "llama"]
    mine = configs(run)["llama"]
    assert (mine["model"], mine["checkpoint_dir"], mine["threads"], mine["max_seq_len"]) == ("/mine.gguf", None, 2, 512)


def test_each_further_model_gets_a_provider_of_its_own() -> None:
    run, required = with_own_models(run_config(ENGINE, REMOTE), ["x", "y", "z"], require_gpu=False)
    assert required == ["llama", "llama-2", "llama-3"]
    assert [(name, config.get("model")) for name, config in configs(run).items()] == [
        *(("llama", "x"), ("llama-2", "y"), ("llama-3", "z")),
        ("vendor", None),
    ]


def test_a_gpu_can_be_required_of_the_configured_model() -> None:
    run, required = with_own_models(run_config(ENGINE), [], require_gpu=True)
    assert (required, configs(run)["llama"]["device"], configs(run)["llama"]["model"]) == (
        ["llama"],
        "cuda",
        "a/configured",
    )


def test_the_config_that_was_given_is_left_as_it_was() -> None:
    before = run_config(ENGINE)
    with_own_models(before, ["x", "y"], require_gpu=True)
    assert configs(before) == configs(run_config(ENGINE))


@pytest.mark.parametrize(("models", "gpu", "option"), [(["x"], False, "--model"), ([], True, "--require-gpu")])
def test_without_an_engine_of_ours_it_is_refused(models: list[str], gpu: bool, option: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        with_own_models(run_config(REMOTE), models, require_gpu=gpu)
    assert [problem.path for problem in caught.value.problems] == [option]


def test_a_provider_is_left_off_by_its_id() -> None:
    before = run_config(REMOTE, ENGINE)
    ids = [entry.provider_id for entry in before.providers["inference"]]
    run = without_providers(before, [f"inference/{ids[0]}"])
    assert [entry.provider_id for entry in run.providers["inference"]] == ids[1:]
    assert [entry.provider_id for entry in run.off] == [ids[0]] and before.off == []
    assert without_providers(run, ids[:1]) == run, "it is off already"
    assert "inference" not in without_providers(before, ids).providers


def test_what_no_provider_is_called_is_named_with_the_nearest() -> None:
    before = run_config(REMOTE, ENGINE)
    [*_, last] = [entry.provider_id for entry in before.providers["inference"]]
    with pytest.raises(ConfigInvalid) as raised:
        without_providers(before, [last[:-1], "xyzzy"])
    assert [problem.path for problem in raised.value.problems] == ["--without", "--without"]
    assert f"`{last}`" in str(raised.value.problems[0].hint)
