"""Applies to a run config what the command line chooses for one run: models, a required GPU, providers that stay off.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runtime.config.run_config import ProviderEntry, RunConfig
from runtime.errors import ConfigInvalid, Problem
from runtime.similar import names_for

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


def with_recordings(run: RunConfig, *, replayed_in: Path | None = None) -> RunConfig:
    """The config of a server that records or replays, with the API that says so. replayed_in: the state folder of one
    that replays, which keeps nothing elsewhere: its ids are the same each time, and no database has to be there.
    """
    name = "recordings"
    apis = [*run.apis, name] if run.apis else run.apis
    storage = run.storage if replayed_in is None else run.storage.within(replayed_in)
    return run.model_copy(update={"providers": {**run.providers, name: []}, "apis": apis, "storage": storage})


def without_providers(run: RunConfig, names: Sequence[str]) -> RunConfig:
    """The config with these providers off. names: ids, or `api/id` where several APIs use the id; of a provider that is
    off already also the name of its type.

    Raises ConfigInvalid for a name that none has.
    """
    taken: list[ProviderEntry] = []
    problems = []
    known_off = {name for entry in run.off for name in (entry.provider_id, entry.provider_type.rpartition("::")[2])}
    for name in names:
        entries = [entry for entry in _entries(run) if name in (entry.provider_id, f"{entry.api}/{entry.provider_id}")]
        taken += entries
        if not entries and name.rpartition("/")[2] not in known_off:
            hint = names_for(name, {entry.provider_id for entry in _entries(run)})
            problems.append(Problem(message=f"there is no provider `{name}`", path="--without", hint=hint))
    if problems:
        raise ConfigInvalid(problems, what="choice")
    left = {api: [entry for entry in entries if entry not in taken] for api, entries in run.providers.items()}
    providers = {api: entries for api, entries in left.items() if entries or not run.providers[api]}
    return run.model_copy(update={"providers": providers, "off": [*run.off, *taken]}) if taken else run


def _entries(run: RunConfig) -> list[ProviderEntry]:
    return [entry for entries in run.providers.values() for entry in entries]
