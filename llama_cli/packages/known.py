"""What the command line knows of a distribution's external providers: what its interpreter said of them at a build.

Asks that interpreter, keeps its answer, and reads run configs by it. Imports no external package.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from llama_cli.exits import Failure
from llama_cli.packages.requirements import without_passwords
from llama_cli.programs import answer_of
from llama_cli.terminal import console
from runtime.config.external import External, FindWorld
from runtime.config.home import EXTERNAL, distribution_dir, distributions_dir, is_distribution_name
from runtime.discovery import World
from runtime.external.known import known_world
from runtime.external.remembered import Remembered, fingerprint, read, remembered, write


def known(environment: Mapping[str, str], folder: Path | None = None) -> FindWorld:
    """For reading a run config. folder: the distribution's; by default that of the name that the run config has."""

    def find_world(named: External) -> World:
        place = folder
        if place is None and is_distribution_name(named.distro_name):
            place = distribution_dir(named.distro_name, environment)
        return known_world(named, read(place) if place else None)

    return find_world


def of_distributions(environment: Mapping[str, str]) -> dict[str, Remembered]:
    """What is remembered of every distribution that has external providers, by its name."""
    folders = sorted(file.parent for file in distributions_dir(environment).glob(f"*/{EXTERNAL}"))
    return {folder.name: found for folder in folders if (found := read(folder)) is not None}


_LIMIT_S = 300.0
"""For all imports together; some bring torch with them."""


def ask(folder: Path, python: Path, run_yaml: Path, named: External, environment: Mapping[str, str]) -> bool:
    """Let the distribution's interpreter say what its external packages bring, unless it has, and keep that. Returns
    whether there is something new in it. Raises Failure where it has no answer.
    """
    before, digest = read(folder), fingerprint(named)
    if before is not None and (before.named, before.python) == (digest, str(python)):
        return False
    if named.is_empty and before is None:
        return False
    command = [str(python), "-I", "-m", "runtime.admin", "specs", str(run_yaml)]
    try:
        answer = answer_of(command, limit_s=_LIMIT_S, environment=environment)
    except subprocess.TimeoutExpired:
        raise Failure(
            f"the external providers of `{folder.name}` cannot be read: an import has not ended after {_LIMIT_S:.0f} s",
            hint=f"build it without them, to see which one it is: {', '.join(_packages(named)) or 'an installed one'}",
        ) from None
    try:
        stated = json.loads(answer.stdout)
        found = remembered(stated, named=digest, python=str(python))
    except (ValueError, KeyError, TypeError):
        last = answer.stderr.strip().splitlines()[-1:] or ["no answer"]
        raise Failure(
            f"the external providers of `{folder.name}` cannot be read: {last[0]}",
            hint="build it without them, to see which one it is",
            details=answer.stderr,
        ) from None
    write(folder, stated, named=digest, python=str(python))
    for note in found.notes:
        console.warn(str(note))
    return before is None or (before.specs, before.apis) != (found.specs, found.apis)


def _packages(named: External) -> list[str]:
    """Those that the run config names."""
    return without_passwords(dict.fromkeys(one.module for one in named.providers if one.module))
