"""From what a user names to a distribution that can run: its run.yaml, its locked packages, its environment, checked.

    distributions/<name>/run.yaml           rendered from a template or piped in, then the user's: an edited one is
                                            never overwritten
                        .rendered           digest of what we wrote last, by which an edit is noticed
                        .source             instead of a run.yaml: the path of the user's file that it was built from
                        pylock.toml         the lock, with hashes
                        .venv               exactly what the lock names
                        .checked            digest of the lock and config whose adapters were all imported
                        state/  logs/       the server's

Knows the order of these steps; each is done elsewhere. Nothing changed means nothing done.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llama_cli import console
from llama_cli.console import ExitCode, Failure
from llama_cli.packages.environment import WHEELS, Environment
from llama_cli.packages.lock import Lock, Requirements, lock
from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.snapshot import snapshot_wheel
from llama_cli.packages.source import Source, note, will_hold, write
from llama_cli.packages.target import needs_of
from llama_cli.packages.uv import EnvironmentFailed, Progress
from runtime import discovery
from runtime.config.build_config import is_build_config, parse_build_config
from runtime.config.home import (
    NAME_HINT,
    atomic_write,
    config_of,
    distribution_dir,
    distributions_dir,
    is_distribution_name,
)
from runtime.config.loading import resolve_config
from runtime.config.run_config import RunConfig
from runtime.config.template import (
    ProviderChoice,
    Template,
    find_templates_dir,
    render,
    render_template,
    unknown_api,
    unknown_provider,
)
from runtime.config.text import is_stream, read_text, shown
from runtime.errors import ConfigInvalid, Problem
from runtime.stack.plan import Plan, plan, read_run_config

_BUILDER_WAIT_S = 600.0
_LAST_LINES = 20
# What is not the network's, an index's or a build tool's doing.
_EXIT_CODES = {
    "permission": ExitCode.ACCESS,
    "disk": ExitCode.FAILED,
    "unsatisfiable": ExitCode.FAILED,
    "other": ExitCode.FAILED,
}


@dataclass(frozen=True, kw_only=True)
class Built:
    """A distribution that can run. named: what to type for it. python: its interpreter, by a path that stays that of
    this environment. changed: whether this call did anything. seconds: by step.
    """

    name: str
    named: str
    folder: Path
    run_yaml: Path
    python: Path
    state_dir: Path
    changed: bool
    packages: int
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the user chose. text: what stands behind `target`, where that was read already and cannot be again.
    providers: `api=type,...`; force: replace an edited run.yaml, keeping a copy of it. to_run: what the server will
    need from the environment has to be there.
    """

    target: str
    text: str | None = None
    name: str | None = None
    providers: str | None = None
    force: bool = False
    offline: bool = False
    install: bool = True
    to_run: bool = False


def build(
    choice: Choice,
    *,
    in_use: Callable[[], Iterable[str | None]],
    environment: Mapping[str, str] | None = None,
    quiet: bool = False,
    source: Source | None = None,
) -> Built:
    """Bring a distribution to what it should be.

    in_use: the interpreters of servers that run, asked for when no other builder is at work. source: what `locate`
    made of the same choice, if that was asked. Raises NotFound, ConfigInvalid, Conflict, and Failure with what to do.
    """
    environment = os.environ if environment is None else environment
    source = source or locate(choice, environment)
    wanted = Environment(source.folder)
    try:
        with wanted.held(
            wait_s=_BUILDER_WAIT_S,
            on_wait=lambda holder: console.say(f"waiting for {holder}, which builds `{source.name}`"),
        ):
            return _build(choice, source, wanted, environment, in_use, quiet=quiet)
    except EnvironmentFailed as error:
        for line in error.output.splitlines()[-_LAST_LINES:]:
            console.detail(line)
        raise Failure(error.message, hint=error.hint, code=_EXIT_CODES.get(error.failure, ExitCode.NETWORK)) from error


def _build(
    choice: Choice,
    source: Source,
    wanted: Environment,
    environment: Mapping[str, str],
    in_use: Callable[[], Iterable[str | None]],
    *,
    quiet: bool,
) -> Built:
    text = will_hold(source, force=choice.force)
    planned = planned_for(source, text, environment, to_run=choice.to_run)
    is_new = any([write(source, text), note(source)])
    packages, seconds = 0, {}
    if choice.install:
        progress = _progress(quiet)
        wheel = snapshot_wheel(source.folder / WHEELS)
        settings = read_settings(offline=choice.offline)
        locked = lock(Requirements.parse(planned.packages), wheel, source.folder, settings, progress=progress)
        for warning in locked.warnings:
            console.warn(warning)
        if not wanted.is_whole(locked):
            console.say(_announced(source, locked))
        report = wanted.ensure(locked, progress, in_use=[Path(python) for python in in_use() if python])
        checked_s = _check(source, text, wanted, locked, environment)
        if report.changed:
            console.say(f"{source.name}: {report}")
        packages = len(locked.packages)
        seconds = {**report.seconds, **({"check": checked_s} if checked_s else {})}
    return Built(
        name=source.name,
        named=source.named(environment),
        folder=source.folder,
        run_yaml=source.run_yaml,
        python=wanted.python,
        state_dir=source.state_dir,
        changed=is_new or bool(seconds),
        packages=packages,
        seconds=seconds,
    )


def locate(choice: Choice, environment: Mapping[str, str]) -> Source:
    """What `DISTRO`, `NAME` or `FILE` means, with the text of its run.yaml where that is ours to render.

    Raises NotFound with close names, ConfigInvalid for providers that do not exist.
    """
    if choice.name is not None and not is_distribution_name(choice.name):
        raise Failure.of_option("--name", f"`{choice.name}` cannot name a distribution", hint=NAME_HINT)
    chosen = parse_providers(choice.providers) if choice.providers else None
    found = resolve_config(choice.target, environment) if choice.text is None else Path(choice.target)
    if isinstance(found, str):
        name = choice.name or (derived_name(found, chosen) if chosen else found)
        text = render(found, specs=discovery.specs(), providers=chosen, name_override=name)
        folder = distribution_dir(name, environment)
        return Source(
            name=name,
            folder=folder,
            run_yaml=folder / "run.yaml",
            text=text,
            origin=f"template `{found}`",
            template=found,
        )
    if chosen:
        raise Failure(
            f"`--providers` changes a template, and `{choice.target}` is a file",
            hint="edit the providers in the file, or name a template",
            code=ExitCode.USAGE,
        )
    is_piped = choice.text is not None or is_stream(str(found))
    text = read_text(found) if choice.text is None else choice.text
    if is_build_config(text):
        return _from_build_config(None if is_piped else found, text, choice, environment)
    if is_piped:
        return _from_stream(shown(found), text, choice, environment)
    return _from_run_yaml(found, text, choice, environment)


def parse_providers(words: str) -> dict[str, list[str]]:
    """`inference=remote::ollama,inference=inline::meta-reference` -> types by API. Raises ConfigInvalid with every
    problem, as for a wrong option.
    """
    chosen: dict[str, list[str]] = {}
    problems = []
    specs = discovery.specs()
    for item in filter(None, (part.strip() for part in words.split(","))):
        api, equals, kind = item.partition("=")
        if not equals or not kind:
            hint = "write it as in `inference=remote::ollama`"
            problems.append(Problem(message=f"`{item}` is not `API=TYPE`", path="--providers", hint=hint))
        elif all(spec.api != api for spec in specs):
            problems.append(unknown_api(api, specs, path="--providers"))
        elif (api, kind) not in discovery.by_type():
            problems.append(unknown_provider(kind, api, specs, path="--providers"))
        else:
            chosen.setdefault(api, []).append(kind)
    if problems:
        raise ConfigInvalid(problems, what="choice")
    return chosen


def derived_name(template: str, chosen: Mapping[str, list[str]]) -> str:
    """`starter-3f9a1c`: the same choice of providers is the same distribution."""
    digest = hashlib.sha256(json.dumps({api: sorted(kinds) for api, kinds in chosen.items()}, sort_keys=True).encode())
    return f"{template}-{digest.hexdigest()[:6]}"


def planned_for(source: Source, text: str, environment: Mapping[str, str], *, to_run: bool = False) -> Plan:
    """The plan of a run.yaml. A bare `${env.X}` that is unset is the server's problem and not yet the build's: it is
    told. to_run: it is about to run, so that it is a problem now, before anything is installed.
    """
    return plan(run_config_of(source, text, environment, to_run=to_run), file=str(source.run_yaml))


def run_config_of(source: Source, text: str, environment: Mapping[str, str], *, to_run: bool = False) -> RunConfig:
    """The run config that `planned_for` plans."""
    file = source.run_yaml if source.run_yaml.exists() and not source.is_piped else source.origin
    run = read_run_config(file, environment, text=text, to_build=not to_run)
    for warning in run.warnings:
        console.warn(warning)
    for need in needs_of(run):
        console.say(f"{file} {need}")
    return run


def _from_build_config(file: Path | None, text: str, choice: Choice, environment: Mapping[str, str]) -> Source:
    """A `build.yaml` of older systems: its providers, rendered as a template of its own. file: None where it was piped
    in.
    """
    origin = shown(file or choice.target)
    asked = parse_build_config(text, file=origin)
    for warning in asked.warnings:
        console.warn(warning)
    name = choice.name or asked.name or (file.stem.removesuffix("-build") if file else "")
    if not is_distribution_name(name):
        raise Failure(
            f"`{asked.name}` in {origin} cannot name a distribution"
            if asked.name
            else f"what was read from {origin} names no distribution",
            hint=f"{NAME_HINT}; or add `--name NAME`" if asked.name else "add `--name NAME`",
            code=ExitCode.CONFIG if asked.name else ExitCode.USAGE,
        )
    own = Template(
        name=name,
        summary=asked.description or f"Made from {file.name if file else 'what was piped in'}",
        providers={
            api: tuple(ProviderChoice(provider_type=kind) for kind in kinds) for api, kinds in asked.providers.items()
        },
        additional_pip_packages=asked.additional_pip_packages,
    )
    rendered = render_template(own, specs=discovery.specs(), folder=find_templates_dir())
    folder = distribution_dir(name, environment)
    return Source(
        name=name, folder=folder, run_yaml=folder / "run.yaml", text=rendered, origin=origin, is_piped=file is None
    )


def _from_stream(origin: str, text: str, choice: Choice, environment: Mapping[str, str]) -> Source:
    """A run config that cannot be read again: a copy of it becomes the distribution's own run.yaml."""
    name = choice.name or _stated_name(origin, text, environment)
    folder = distribution_dir(name, environment)
    return Source(name=name, folder=folder, run_yaml=folder / "run.yaml", text=text, origin=origin, is_piped=True)


def _from_run_yaml(file: Path, text: str, choice: Choice, environment: Mapping[str, str]) -> Source:
    real = file.resolve()
    if real.parent.parent == distributions_dir(environment).resolve() and real.name == "run.yaml":
        return Source(name=real.parent.name, folder=real.parent, run_yaml=real, text=None, origin=str(real))
    # Not `resolve`: where a link leads may change, as in a folder that Kubernetes mounts.
    file = Path(os.path.abspath(file))  # noqa: PTH100  # not `absolute`, which keeps `..` as a name
    name = choice.name or _built_under(choice.target, real, environment) or _stated_name(file, text, environment)
    return Source(name=name, folder=distribution_dir(name, environment), run_yaml=file, text=None, origin=str(file))


def _stated_name(file: Path | str, text: str, environment: Mapping[str, str]) -> str:
    run = read_run_config(file, environment, text=text, to_build=True)
    for use in run.uses:
        if use.is_awaited and use.path in ("distro_name", "image_name"):
            raise Failure(
                f"`{use.variable}`, which names the distribution, is not set",
                hint="set it, or build it under a name: `llama stack build --config FILE --name NAME`",
                code=ExitCode.CONFIG,
            )
    return run.distro_name


def _built_under(target: str, file: Path, environment: Mapping[str, str]) -> str | None:
    """The name by which a user's file was found, whatever name it gives itself."""
    if not is_distribution_name(target):
        return None
    known = config_of(distribution_dir(target, environment))
    return target if known is not None and known.resolve() == file else None


def _announced(source: Source, locked: Lock) -> str:
    count = len(locked.packages)
    size = locked.size_bytes
    known = f"{console.size(size)}" if size is not None else f"at least {console.size(locked.at_least_bytes)}"
    return f"installing {count} packages for `{source.name}` ({known} where none is cached yet)"


def _check(source: Source, text: str, made: Environment, locked: Lock, environment: Mapping[str, str]) -> float:
    """Import every configured adapter in the new environment: a missing package is found here and not at the first
    request.
    """
    mark = source.folder / ".checked"
    digest = hashlib.sha256(f"{locked.digest}\n{text}\n{made.python}".encode()).hexdigest()
    if mark.exists() and mark.read_bytes().strip() == digest.encode():
        return 0.0
    started = time.monotonic()
    command = [str(made.python), "-I", "-m", "runtime.admin", "check", str(source.run_yaml)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(environment))
    try:
        failures = json.loads(answer.stdout)["failures"]
    except (ValueError, KeyError, TypeError):
        last = answer.stderr.strip().splitlines()[-1:] or ["no answer"]
        raise EnvironmentFailed(
            f"the environment of `{source.name}` does not work: {last[0]}",
            failure="other",
            hint=f"remove {made.path} and build again",
            output=answer.stderr,
        ) from None
    if failures:
        told = "\n  ".join(f"{one['provider_id']} ({one['provider_type']}): {one['error']}" for one in failures)
        raise EnvironmentFailed(
            f"these providers of `{source.name}` cannot be imported:\n  {told}",
            failure="other",
            hint="its spec's `packages` do not name what it imports, or the package is broken on this machine",
        )
    atomic_write(mark, digest + "\n")
    return time.monotonic() - started


def _progress(quiet: bool) -> Progress | None:
    if quiet:
        return None
    if console.is_terminal(sys.stderr) and not os.environ.get("CI"):
        return Progress(terminal=sys.stderr.buffer)
    return Progress(line=console.say)
