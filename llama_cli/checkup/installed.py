"""Our own command and uv: which of them run, from where, and whether another one is in the way."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from llama_cli.checkup.findings import Check, Finding, Patient, error, ok, warning
from llama_cli.exits import Failure
from llama_cli.programs import answer_of
from runtime import __version__

_LIMIT_S = 10.0


def package(patient: Patient) -> Iterator[Finding]:
    """The code that runs: version, commit, place."""
    from llama_cli.welcome import version_facts

    facts = version_facts()
    commit = f", commit {facts['commit'][:12]}" if facts["commit"] else ""
    yield ok("package/ok", f"llama {facts['version']}{commit} at {Path(__file__).parents[2]}")


def uv(patient: Patient) -> Iterator[Finding]:
    """uv, which builds distributions, in the version that we know how to read."""
    from llama_cli.packages.uv import find_uv

    fix = f"{sys.executable} -m pip install '{_wanted_uv()}'"
    try:
        tool = find_uv()
        said = _run([tool, "--version"], patient)
    except Failure as failure:
        yield error("uv/missing", failure.message, fix=fix)
        return
    except (OSError, subprocess.SubprocessError) as problem:
        yield error("uv/broken", "uv does not start", cause=str(problem), fix=fix)
        return
    version = re.search(r"\d+\.\d+\.\d+", said)
    if version is None or not _fits(version[0]):
        cause = f"we read the words of {_wanted_uv()}"
        yield warning("uv/version", f"{said} at {tool}", cause=cause, fix=fix)
    else:
        yield ok("uv/ok", f"uv {version[0]} at {tool}")


def path(patient: Patient) -> Iterator[Finding]:
    """Whether `llama` on the PATH is this one, and the only one."""
    ours = Path(sys.executable).parent
    found = [Path(place) for place in _on_path("llama", patient.environment.get("PATH", ""))]
    if not found:
        fix = _first_on_path(ours) if (ours / "llama").exists() else None
        yield warning("path/missing", "`llama` is not on the PATH", cause="it has to be typed with its folder", fix=fix)
        return
    first = found[0]
    if not _is_ours(first):
        said = f"`llama` on the PATH is another one: {first}{_version_of(first, patient)}"
        cause = f"this one is {__version__} in {ours}"
        yield warning("path/other", said, cause=cause, fix=_first_on_path(ours))
    elif others := [place for place in found[1:] if not _is_ours(place)]:
        said = f"more than one `llama` is on the PATH: {first}, then {', '.join(map(str, others))}"
        yield warning("path/several", said, cause="which one runs depends on the order of the PATH")
    else:
        yield ok("path/ok", f"`llama` on the PATH is this one: {first}")


def _first_on_path(folder: Path) -> str:
    return f'export PATH={shlex.quote(str(folder))}:"$PATH"'


def _on_path(name: str, path: str) -> list[str]:
    places = [shutil.which(name, path=folder) for folder in path.split(os.pathsep) if folder]
    real = {os.path.realpath(place): place for place in reversed(places) if place}
    return [place for place in places if place and real[os.path.realpath(place)] == place]


def _is_ours(command: Path) -> bool:
    """Whether it is started by our interpreter, or is the file that was typed."""
    if command.resolve() == Path(sys.argv[0]).resolve():
        return True
    return command.resolve().parent == Path(sys.executable).parent.resolve()


def _version_of(command: Path, patient: Patient) -> str:
    try:
        said = _run([str(command), "--version"], patient)
    except (OSError, subprocess.SubprocessError):
        return ""
    return f" ({said[:80]})" if said else ""


def _run(command: list[str], patient: Patient) -> str:
    return answer_of(command, limit_s=_LIMIT_S, environment=patient.environment).stdout.strip()


def _wanted_uv() -> str:
    """The requirement as our own package states it."""
    from importlib import metadata

    try:
        stated = metadata.requires("llama-stack-toolchain") or []
    except metadata.PackageNotFoundError:
        stated = []
    return next((line.partition(";")[0].strip() for line in stated if re.match(r"uv\b(?!loop)", line)), "uv")


def _fits(version: str) -> bool:
    from packaging.requirements import Requirement

    return Requirement(_wanted_uv()).specifier.contains(version)


CHECKS = (Check(name="package", ask=package), Check(name="uv", ask=uv), Check(name="path", ask=path, limit_s=30))
