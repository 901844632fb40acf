"""Applies to a run config what the command line chooses for one run: models, and that a GPU is required. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.config.run_config import ProviderEntry, RunConfig
from runtime.errors import ConfigInvalid, Problem

OWN_ENGINE = "inline::meta-reference"


def with_own_models(run: RunConfig, models: Sequence[str], *, require_gpu: bool) -> tuple[RunConfig, list[str]]:
    """The config with `models` served by the built-in engine, and the ids of the providers that must then be ready.

    The first model replaces the configured one; each further model gets its own provider. Raises ConfigInvalid if the
    config does not use the built-in engine.
    """
    inference = run.providers.get("inference", [])
    engines = [entry for entry in inference if entry.provider_type == OWN_ENGINE]
    if not engines:
        option = "--model" if models else "--require-gpu"
        raise ConfigInvalid(
            [
                Problem(
                    message=f"`{option}` needs a provider `{OWN_ENGINE}`, and none is on",
                    path=option,
                    hint="`starter` has one",
                )
            ],
            what="choice",
        )
    first = engines[0]
    chosen: list[ProviderEntry] = [first.with_config(model=models[0], checkpoint_dir=None) if models else first]
    for place, model in enumerate(models[1:], start=2):
        chosen.append(
            first.with_config(model=model, checkpoint_dir=None).model_copy(
                update={"provider_id": f"{first.provider_id}-{place}"}
            )
        )
    if require_gpu:
        chosen = [entry.with_config(device="cuda") for entry in chosen]
    position = inference.index(first)
    changed = [*inference[:position], *chosen, *inference[position + 1 :]]
    providers = {**run.providers, "inference": changed}
    return run.model_copy(update={"providers": providers}), [entry.provider_id for entry in chosen]
