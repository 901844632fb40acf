"""Which run config a library client is asked for, read and planned; and where its stack keeps its state.

The same files, names and folders as for `llama stack run`, but nothing is built, installed or written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime import discovery
from runtime.config.home import distribution_dir, distributions_dir
from runtime.config.lookup import resolve_config
from runtime.config.run_config import RunConfig
from runtime.stack.plan import Plan, plan, read_run_config


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a stack is made of. state_dir: the folder for its databases and its providers' files."""

    run: RunConfig
    plan: Plan
    state_dir: Path


def choose(config: str | Path, *, state_dir: Path | None = None, env: Mapping[str, str] | None = None) -> Chosen:
    """The plan for a run config's file, or for the name of a distribution: of one that is built, else of a template.

    state_dir: instead of the distribution's own. env: `os.environ` by default. Raises NotFound with close names,
    ConfigInvalid with every problem.
    """
    variables = os.environ if env is None else env
    found = resolve_config(os.fspath(config), variables)
    text = None
    if isinstance(found, str):
        built = distribution_dir(found, variables) / "run.yaml"
        if built.is_file():  # the user may have edited it
            found = built
        else:
            from runtime.config.rendering import render  # not above: most programs name a file, or what is built

            text = render(found, specs=discovery.built_in().specs)
    run = read_run_config(found, variables, text=text)
    planned = plan(run, file=str(found))
    return Chosen(run=run, plan=planned, state_dir=state_dir or _state_of(found, run, variables))


def _state_of(found: Path | str, run: RunConfig, env: Mapping[str, str]) -> Path:
    """Of the distribution whose own run.yaml it is, else of the one that a user's file names."""
    if isinstance(found, Path):
        real = found.resolve()
        if real.name == "run.yaml" and real.parent.parent == distributions_dir(env).resolve():
            return real.parent / "state"
    return distribution_dir(run.distro_name, env) / "state"
