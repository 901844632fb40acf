"""Reads what a command's DISTRO|NAME|FILE argument means, as the server would. Builds nothing and changes nothing.

Imports pydantic through `runtime.config`: for commands that show or run a config, never for a listing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runtime import discovery
from runtime.config import home, loading
from runtime.config.lookup import resolve_config
from runtime.config.rendering import render
from runtime.config.run_config import RunConfig
from runtime.config.substitution import Use
from runtime.config.text import shown
from runtime.stack.plan import read_run_config


@dataclass(frozen=True, kw_only=True)
class Target:
    """A run config with its origin. source: the file, or `template NAME` where nothing of that name is built yet."""

    run: RunConfig
    source: str


def read_target(argument: str, environment: Mapping[str, str], *, to_build: bool = False) -> Target:
    """The run config that an argument means.

    A template that has been built is its run.yaml, which the user may have edited. to_build: what only a server needs
    can be unset, and `needs_of` names it. Raises NotFound with the places looked at, ConfigInvalid with every
    problem.
    """
    found = resolve_config(argument, environment)
    if isinstance(found, str):
        built = home.distribution_dir(found, environment) / "run.yaml"
        if not built.is_file():
            text = render(found, specs=discovery.specs())
            source = f"template {found}"
            run = loading.parse_run_config(text, file=source, env=environment, to_build=to_build)
            return Target(run=run, source=source)
        found = built
    return Target(run=read_run_config(found, environment, to_build=to_build), source=shown(found))


def needs_of(run: RunConfig) -> Iterator[str]:
    """The variables that a server of it will need and that are not set, each with the first place that reads it."""
    first: dict[str, Use] = {}
    for use in sorted(run.uses, key=lambda use: use.line or 0):
        if use.is_awaited:
            first.setdefault(use.variable, use)
    for variable, use in first.items():
        yield f"needs `{variable}` when it runs (`{use.path}`, line {use.line})"
