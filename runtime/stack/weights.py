"""The weights that a run config names and that are not on this machine: looked for as the providers themselves do,
before anything is built for a server that could not serve them.

Looks into folders, which `plan` does not, and reads no weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from runtime.config.run_config import RunConfig
from runtime.errors import Problem, StackError
from runtime.stack.plan import Plan
from runtime.stack.planned import Problems


@runtime_checkable
class NamesWeights(Protocol):
    """The config of a provider that computes models whose weights lie on this machine."""

    def weights_not_here(self, models_dir: Path) -> Mapping[str, StackError | None]:
        """For each model that it names, by the key that does (`model`, `models[0].model`): why its weights cannot be
        found, None where they are there or come with the provider's packages. models_dir: where models are that were
        downloaded.
        """
        ...


class Lacking(NamedTuple):
    """every: of providers that would have no model at all; some: of those that have others."""

    every: list[Problem]
    some: list[Problem]


def lacking_weights(planned: Plan, run: RunConfig, models_dir: Path, *, file: str | None = None) -> Lacking:
    """What a run config lacks of what `planned` is to start, each with its line. What comes from a variable that is
    not set yet is left out. file: the run config's, for messages.
    """
    every, some = Problems(file or run.file, run.lines), Problems(file or run.file, run.lines)
    awaited = tuple(use.path for use in run.uses if use.is_awaited)
    paths = {(entry.api, entry.provider_id): entry.path for entries in run.providers.values() for entry in entries}
    for provider in planned.providers:
        place = paths.get((provider.api, provider.provider_id))
        if place is None or not isinstance(provider.config, NamesWeights):
            continue
        found = provider.config.weights_not_here(models_dir)
        problems = every if all(found.values()) else some
        for key, error in found.items():
            path = f"{place}.config.{key}"
            if error is not None and not path.startswith(awaited):
                problems.add(error.message, path=path, hint=error.hint)
    return Lacking(every.found, some.found)
