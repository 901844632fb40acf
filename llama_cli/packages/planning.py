"""The plan of a distribution: its run.yaml read and planned, what the user should know of it said.

Knows what is said while a run config is read. Builds nothing, so that what only shows a plan need not load what builds.
"""

from __future__ import annotations

from collections.abc import Mapping

from llama_cli.packages.known import known
from llama_cli.packages.source import Source
from llama_cli.terminal import console
from runtime.config.run_config import RunConfig
from runtime.stack.plan import Plan, plan, read_run_config


def planned_for(source: Source, text: str, environment: Mapping[str, str], *, to_run: bool = False) -> Plan:
    """The plan of a run.yaml; what is to be said of external providers is printed. A bare `${env.X}` that is unset is
    the server's problem and not yet the build's: it is reported. to_run: it is about to run, so that it is a problem
    now, before anything is installed.
    """
    planned = plan(run_config_of(source, text, environment, to_run=to_run), file=source.shown)
    for note in planned.world.notes:
        console.warn(str(note))
    return planned


def run_config_of(source: Source, text: str, environment: Mapping[str, str], *, to_run: bool = False) -> RunConfig:
    """The run config that `planned_for` plans, its warnings and the variables that it will need printed."""
    found = known(environment, source.folder)
    run = read_run_config(
        source.shown, environment, text=text, to_build=not to_run, folder=source.run_yaml.parent, find_world=found
    )
    for warning in run.warnings:
        console.warn(warning)
    reported = set()
    for use in sorted(run.uses, key=lambda use: use.line or 0):
        if use.is_awaited and use.variable not in reported:
            reported.add(use.variable)
            console.say(f"{source.shown} needs `{use.variable}` when it runs (`{use.path}`, line {use.line})")
    return run
