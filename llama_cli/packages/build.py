"""From what a user names to a distribution that can run: its run.yaml, its locked packages, its environment, checked.

    distributions/<name>/run.yaml      see run_yaml.py
                        pylock.toml    the lock, with hashes
                        .venv          exactly what the lock names
                        .checked       digest of the lock and config whose adapters were all imported
                        providers.json what its external packages bring, as its interpreter has said it
                        replay/        lock, environment and check of servers that replay
                        state/ logs/   the server's

Knows the order of these steps; each is done elsewhere. Nothing changed means nothing done. What an external package
brings, and the packages that this needs in turn, are known once it is installed: then there is a second round.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from llama_cli.disk import holdings, sizes
from llama_cli.exits import Failure
from llama_cli.packages.environment import WHEELS, Environment
from llama_cli.packages.known import ask, known
from llama_cli.packages.lock import Lock, lock
from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.planning import run_config_of
from llama_cli.packages.requirements import Requirements
from llama_cli.packages.run_yaml import note, will_hold, write
from llama_cli.packages.snapshot import snapshot_wheel
from llama_cli.packages.source import Choice, Source
from llama_cli.programs import answer_of
from llama_cli.terminal import console, words
from llama_cli.terminal.progress import working
from runtime.config.home import atomic_write, environment_dir
from runtime.config.run_config import RunConfig
from runtime.errors import ConfigInvalid, Problem
from runtime.stack.plan import Plan, plan, read_run_config

_BUILDER_WAIT_S = 600.0
_ROUNDS = 3
"""Packages that external ones need can bring providers themselves; deeper than that none is looked for."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build has made. python: the distribution's interpreter, by a path that stays that of this environment.
    changed: whether it did anything. requirements: what its providers ask for. packages: how many that comes to.
    seconds: by step.
    """

    python: Path
    changed: bool
    requirements: tuple[str, ...]
    packages: int
    seconds: dict[str, float]


def build(
    source: Source,
    choice: Choice,
    environment: Mapping[str, str],
    *,
    in_use: Callable[[], Iterable[str | None]],
    before: Callable[[RunConfig], object] = lambda run: None,
) -> Built:
    """Bring a distribution to what it should be.

    source: what `locate` made of `choice`. in_use: the interpreters of servers that run, asked for when no other
    builder is at work. before: is given what will be built before anything is written; what it raises ends the build.
    Raises NotFound, ConfigInvalid, Conflict, and Failure with what to do.
    """
    wanted = Environment(environment_dir(source.folder, for_replay=choice.for_replay))
    packages, seconds = 0, dict[str, float]()
    with working(f"building `{source.name}`"), wanted.held(_BUILDER_WAIT_S, on_wait=partial(_waiting, source.name)):
        text = will_hold(source, force=choice.force)
        run = run_config_of(source, text, environment, to_run=choice.to_run)
        planned = plan(run, file=source.shown)
        before(run)
        is_new = any([write(source, text), note(source)])
        if choice.install:
            used = [Path(python) for python in in_use() if python]
            locked, took = _installed(source, choice, wanted, _needed(planned, choice), used)
            for _ in range(_ROUNDS):
                if not ask(source.folder, wanted.python, source.run_yaml, run.external, environment):
                    break
                found = known(environment, source.folder)
                place = source.run_yaml.parent
                run = read_run_config(
                    source.shown, environment, text=text, to_build=not choice.to_run, folder=place, find_world=found
                )
                known_before, planned = _needed(planned, choice), plan(run, file=source.shown)
                if _needed(planned, choice) == known_before:
                    break
                _say(f"installing what the external providers of `{source.name}` need")
                locked, more = _installed(source, choice, wanted, _needed(planned, choice), used, is_first=False)
                took = {step: took.get(step, 0.0) + more.get(step, 0.0) for step in took | more}
            with working("checking its providers"):
                checked_s = _check(source, choice, text, wanted, locked, environment)
            seconds = took | ({"check": checked_s} if checked_s else {})
            if took:
                _say(f"{source.name}: {_report(seconds)}")
            packages = len(locked.packages)
            if took or sizes.noted(source.folder) is None:
                sizes.note(source.folder, holdings.environment_bytes(source.folder))
    return Built(
        python=wanted.python,
        changed=is_new or bool(seconds),
        requirements=_needed(planned, choice),
        packages=packages,
        seconds=seconds,
    )


def _needed(planned: Plan, choice: Choice) -> tuple[str, ...]:
    return planned.packages_in_replay if choice.for_replay else planned.packages


def _installed(
    source: Source,
    choice: Choice,
    wanted: Environment,
    packages: Sequence[str],
    used: Sequence[Path],
    *,
    is_first: bool = True,
) -> tuple[Lock, dict[str, float]]:
    """Lock packages, and bring the environment to what the lock names. Returns the seconds by step. used: interpreters
    of servers that run.
    """
    anew = choice.force and is_first
    wheel = snapshot_wheel(wanted.folder / WHEELS)
    settings = read_settings(offline=choice.offline)
    is_built = wanted.is_whole if choice.to_run else lambda lock: False
    locked = lock(Requirements.parse(packages), wheel, wanted.folder, settings, is_built=is_built)
    for warning in locked.warnings:
        console.warn(warning)
    if anew or not wanted.is_whole(locked):
        if locked.changed and is_first:
            verb = "has" if len(locked.changed) == 1 else "have"
            _say(f"`{source.name}` is built again: {' and '.join(locked.changed)} {verb} changed since")
        _say(_announced(source, locked))
    return locked, wanted.ensure(locked, in_use=used, anew=anew)


def _say(text: str) -> None:
    """What is progress, and so no business of a program that reads the document at the end."""
    if not console.settings.json:
        console.say(text)


def _waiting(name: str, holder: str) -> None:
    _say(f"waiting for {holder}, which builds `{name}`")


def _announced(source: Source, locked: Lock) -> str:
    sizes = [package.size_bytes for package in locked.packages]
    known = f"{'at least ' if None in sizes else ''}{words.size(sum(filter(None, sizes)))}"
    return f"installing {len(sizes)} packages for `{source.name}` ({known} where none is cached yet)"


def _report(seconds: Mapping[str, float]) -> str:
    """`built in 14 s: resolve 2.0, install 12`"""

    def short(number: float) -> str:
        return f"{number:.0f}" if number >= 10 else f"{number:.1f}"

    phases = ", ".join(f"{name} {short(number)}" for name, number in seconds.items())
    return f"built in {short(sum(seconds.values()))} s: {phases}"


def _check(
    source: Source, choice: Choice, text: str, made: Environment, locked: Lock, environment: Mapping[str, str]
) -> float:
    """Import every configured adapter in the new environment: a missing package is found here and not at the first
    request.
    """
    mark = made.folder / ".checked"
    digest = hashlib.sha256(f"{locked.digest}\n{text}\n{made.python}".encode()).hexdigest()
    if mark.exists() and mark.read_bytes().strip() == digest.encode():
        return 0.0
    started = time.monotonic()
    command = [str(made.python), "-I", "-m", "runtime.admin", "check", str(source.run_yaml)]
    command += ["--for-replay"] if choice.for_replay else []
    answer = answer_of(command, limit_s=None, environment=environment)
    try:
        stated = json.loads(answer.stdout)
        problems = [Problem(**problem) for problem in stated.get("error", {}).get("problems", ())]
        failures = [] if problems else stated["failures"]
    except (ValueError, KeyError, TypeError):
        last = answer.stderr.strip().splitlines()[-1:] or ["no answer"]
        raise Failure(
            f"the environment of `{source.name}` does not work: {last[0]}",
            hint=f"remove {made.path} and build again",
            details=answer.stderr,
        ) from None
    if problems:  # in settings of external providers, whose models are only there
        raise ConfigInvalid(problems, what="run config")
    for one in failures:
        if one["package"]:  # the others run without it
            console.warn(f"{one['provider_id']} ({one['provider_type']}) of `{one['package']}`: {one['error']}")
    failures = [one for one in failures if not one["package"]]
    if failures:
        named = "\n  ".join(f"{one['provider_id']} ({one['provider_type']}): {one['error']}" for one in failures)
        raise Failure(
            f"these providers of `{source.name}` cannot be imported:\n  {named}",
            hint="its spec's `packages` do not name what it imports, or the package is broken on this machine",
        )
    atomic_write(mark, digest + "\n")
    return time.monotonic() - started
