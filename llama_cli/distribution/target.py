"""Reads what a command's DISTRO|NAME|FILE argument means, as the server would. Builds nothing and changes nothing.

Imports pydantic through `runtime.config`: for commands that show or run a config, never for a listing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime import discovery
from runtime.config import home, loading, template
from runtime.config.run_config import RunConfig
from runtime.stack.plan import read_run_config


@dataclass(frozen=True, kw_only=True)
class Target:
    """A run config with its origin. source: the file, or `template NAME` where nothing of that name is built yet."""

    run: RunConfig
    source: str
    path: Path | None


def read_target(argument: str, environment: Mapping[str, str]) -> Target:
    """The run config that an argument means.

    A template that has been built is its run.yaml, which the user may have edited. Raises NotFound with the places
    looked at, ConfigInvalid with every problem.
    """
    found = loading.resolve_config(argument, environment)
    if isinstance(found, str):
        built = home.distribution_dir(found, environment) / "run.yaml"
        if not built.is_file():
            text = template.render(found, specs=discovery.specs())
            source = f"template {found}"
            return Target(run=loading.parse_run_config(text, file=source, env=environment), source=source, path=None)
        found = built
    return Target(run=read_run_config(found, environment), source=str(found), path=found)
