"""What is built: whether each environment is whole, and holds what its lock names.

Reads folders, and starts each interpreter once; changes nothing.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from llama_cli.checkup.findings import Check, Distribution, Finding, Patient, Repair, error, ok, typed, warning
from llama_cli.programs import answer_of
from llama_cli.terminal import words

_LIMIT_S = 20.0
_SHOWN = 3


def environments(patient: Patient) -> Iterator[Finding]:
    """Each distribution's environment; nothing where none is looked at."""
    built = [each for each in patient.distributions if each.folder is not None and each.folder.is_dir()]
    if patient.distributions and not built:
        yield ok("environment/none", "nothing is built yet; `llama stack run starter` builds it")
    for each in built:
        yield from _environment(each)


def half_made(patient: Patient) -> Iterator[Finding]:
    """What a build that was killed has left: the next one removes it, and until then it takes room."""
    from llama_cli.packages.environment import HALF_MADE, Environment

    for folder in sorted((patient.home / "distributions").glob(f"*/.venvs/{HALF_MADE}*")):
        owner = folder.parents[1]
        if Environment(owner).is_held():
            continue  # it is being built
        yield warning(
            "builds/half-made",
            f"{folder} is half an environment, from a build that was killed",
            about=owner.name,
            fix=typed("rm", "-r", folder),
            repair=Repair(what=f"remove {folder}", do=partial(_remove, folder)),
        )


def _remove(folder: Path) -> None:
    from llama_cli.packages.environment import Environment

    with Environment(folder.parents[1]).held():
        shutil.rmtree(folder)


def _environment(each: Distribution) -> Iterator[Finding]:
    from llama_cli.packages.lock import read_lock
    from runtime.config.home import LOCK

    assert each.folder is not None
    again = f"llama stack build {each.target}"
    python = each.python
    if python is None:
        yield ok("environment/not-built", f"`{each.name}` is not built; `{again}` builds it", about=each.name)
        return
    whole = f"{typed('rm', '-r', _to_remove(python.parents[1]))} && {again}"
    if not python.exists():
        cause = f"{python} is not there: its folder, or the Python that it was made from, was removed"
        yield error("environment/broken", f"`{each.name}` has no interpreter", about=each.name, cause=cause, fix=whole)
        return
    try:
        done = answer_of([str(python), "-I", "-c", "import runtime; print(runtime.__version__)"], limit_s=_LIMIT_S)
        said = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except (OSError, subprocess.TimeoutExpired) as problem:
        said = [str(problem)]
    if said or done.returncode:
        cause = said[0] if said else f"it ends with {done.returncode}"
        yield error("environment/broken", f"`{each.name}` does not start", about=each.name, cause=cause, fix=whole)
        return
    text = read_lock(each.folder / LOCK)[1]
    if not text:
        cause = f"{LOCK} is gone, or was changed by hand"
        yield warning("environment/lock", f"`{each.name}` has no lock", about=each.name, cause=cause, fix=again)
        return
    differing = _differences(text, python.parents[1])
    if differing:
        cause = f"{words.some(differing, _SHOWN)}"
        said_it = f"the environment of `{each.name}` is not what its lock names"
        yield error("environment/damaged", said_it, about=each.name, cause=cause, fix=whole)
    else:
        yield ok("environment/ok", f"`{each.name}` holds what its lock names", about=each.name)


def _to_remove(link: Path) -> Path:
    """What has to go for an environment to be made again: its folder, or the link where that leads to none of ours."""
    place = link.resolve()
    return place if place.is_dir() and place.parent.name == ".venvs" else link


def _differences(lock: str, environment: Path) -> list[str]:
    """What is missing, of another version, or there twice, in words."""
    from packaging.version import InvalidVersion, Version

    from llama_cli.packages.lock import packages_of

    there: dict[str, list[str]] = {}
    for info in environment.glob("lib/python*/site-packages/*.dist-info"):
        name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
        there.setdefault(_plain(name), []).append(version if (info / "METADATA").exists() else "")
    found = []
    for package in packages_of(lock):
        versions = there.get(_plain(package.name), [])
        if not versions:
            found.append(f"`{package.name}` is missing")
        elif "" in versions or len(versions) > 1:
            found.append(f"`{package.name}` is there in part, or twice")
        elif package.version:
            try:
                is_same = Version(versions[0]) == Version(package.version)
            except InvalidVersion:
                is_same = versions[0] == package.version
            if not is_same:
                found.append(f"`{package.name}` is {versions[0]}, not {package.version}")
    return found


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


CHECKS = (
    Check(name="environment", ask=environments, limit_s=60),
    Check(name="builds", ask=half_made),
)
