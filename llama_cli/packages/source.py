"""What `DISTRO`, `NAME` or `FILE` means to a build: a template, the user's own file, or what is piped in.

Knows how a distribution gets its name and where its run.yaml comes from. Writes nothing and knows no packages.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cli.exits import ExitCode, Failure
from llama_cli.packages.known import known
from llama_cli.terminal import console
from runtime import discovery
from runtime.config.home import (
    NAME_HINT,
    config_of,
    distribution_dir,
    distributions_dir,
    expanded,
    is_distribution_name,
)
from runtime.config.lookup import resolve_config
from runtime.config.older.build_config import is_build_config, parse_build_config
from runtime.config.rendering import render, render_template, unknown_api, unknown_provider
from runtime.config.template import ProviderChoice, Template, find_templates_dir
from runtime.config.text import is_stream, read_text, shown
from runtime.errors import ConfigInvalid, NotFound, Problem
from runtime.stack.plan import read_run_config


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the user chose. text: what stands behind `target`, where that was read already and cannot be again.
    providers: `api=type,...`; force: replace an edited run.yaml, keeping a copy of it. to_run: what the server will
    need from the environment has to be there. for_replay: with what a server needs that replays, and no more.
    """

    target: str
    text: str | None = None
    name: str | None = None
    providers: str | None = None
    force: bool = False
    offline: bool = False
    install: bool = True
    to_run: bool = False
    for_replay: bool = False


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is to be built. run_yaml: the file that the server will read; text: what it should hold, where we write it
    (None: it is the user's own). origin: what the user named, in words; template: which, where it was one; is_piped:
    the text was read from where it cannot be read again; is_rendered: it was made of a template or a build.yaml.
    """

    name: str
    folder: Path
    run_yaml: Path
    text: str | None
    origin: str
    template: str | None = None
    is_piped: bool = False
    is_rendered: bool = False

    @property
    def shown(self) -> str:
        """Where its run config is read: its file, or what the user named where that is not written yet."""
        return str(self.run_yaml) if self.run_yaml.exists() and not self.is_piped else self.origin

    @property
    def made_of(self) -> str | None:
        """What its text is rendered from while no file holds it; None where a line of it is one of `shown`."""
        return self.origin if self.is_rendered and self.shown == self.origin else None

    @property
    def state_dir(self) -> Path:
        """Where a server of it keeps its files, unless another folder is named."""
        return self.folder / "state"

    def named(self, environment: Mapping[str, str]) -> str:
        """What to type to get this very distribution: its name, or its file where the name means something else."""
        try:
            found = resolve_config(self.name, environment)
        except NotFound:
            return str(self.run_yaml)
        is_it = found == self.template if isinstance(found, str) else found.resolve() == self.run_yaml.resolve()
        return self.name if is_it else str(self.run_yaml)


def locate(choice: Choice, environment: Mapping[str, str]) -> Source:
    """The source that a choice names, with the text of its run.yaml where that is ours to render.

    Raises NotFound with close names, ConfigInvalid for providers that do not exist, Failure for what has no name or
    cannot have the one that is given.
    """
    if choice.name is not None and not is_distribution_name(choice.name):
        raise Failure.of_option("--name", f"`{choice.name}` cannot name a distribution", hint=NAME_HINT)
    chosen = parse_providers(choice.providers) if choice.providers else None
    found = resolve_config(choice.target, environment) if choice.text is None else Path(choice.target)
    if isinstance(found, str):
        name = choice.name or (derived_name(found, chosen) if chosen else found)
        text = render(found, specs=discovery.built_in().specs, providers=chosen, name_override=name)
        return _ours(name, text, environment, origin=f"template {found}", template=found, is_rendered=True)
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
    if is_piped:  # it cannot be read again: a copy of it becomes the distribution's own run.yaml
        origin = shown(found)
        name = choice.name or _stated_name(origin, text, choice, environment)
        return _ours(name, text, environment, origin=origin, is_piped=True)
    return _from_run_yaml(found, text, choice, environment)


def parse_providers(words: str) -> dict[str, list[str]]:
    """`inference=remote::ollama,inference=inline::meta-reference` -> types by API. Raises ConfigInvalid with every
    problem, as for a wrong option.
    """
    chosen: dict[str, list[str]] = {}
    problems = []
    specs = discovery.built_in().specs
    for item in filter(None, (part.strip() for part in words.split(","))):
        api, equals, kind = item.partition("=")
        if not equals or not kind:
            hint = "write it as in `inference=remote::ollama`"
            problems.append(Problem(message=f"`{item}` is not `API=TYPE`", path="--providers", hint=hint))
        elif all(spec.api != api for spec in specs):
            problems.append(unknown_api(api, specs, path="--providers"))
        elif (api, kind) not in discovery.built_in().by_type:
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


def _ours(name: str, text: str, environment: Mapping[str, str], **facts: Any) -> Source:
    """A distribution whose run.yaml is for us to write."""
    folder = distribution_dir(name, environment)
    return Source(name=name, folder=folder, run_yaml=folder / "run.yaml", text=text, **facts)


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
        wrong = f"`{asked.name}` in {origin} cannot name a distribution"
        raise Failure(
            wrong if asked.name else f"what was read from {origin} names no distribution",
            hint=f"{NAME_HINT}; or add `--name NAME`" if asked.name else "add `--name NAME`",
            code=ExitCode.CONFIG if asked.name else ExitCode.USAGE,
        )
    own = Template(
        name=name,
        summary=asked.description or f"Made from {file.name if file else 'what was piped in'}",
        providers={
            api: tuple(ProviderChoice(provider_type=kind, module=asked.modules.get((api, kind))) for kind in kinds)
            for api, kinds in asked.providers.items()
        },
        folders={
            key: str((file.parent if file else Path()).absolute() / expanded(path))
            for key, path in asked.folders.items()
        },
        additional_pip_packages=asked.additional_pip_packages,
    )
    rendered = render_template(own, specs=discovery.built_in().specs, folder=find_templates_dir())
    return _ours(name, rendered, environment, origin=origin, is_piped=file is None, is_rendered=True)


def _from_run_yaml(file: Path, text: str, choice: Choice, environment: Mapping[str, str]) -> Source:
    real = file.resolve()
    if real.parent.parent == distributions_dir(environment).resolve() and real.name == "run.yaml":
        return Source(name=real.parent.name, folder=real.parent, run_yaml=real, text=None, origin=str(real))
    # Not `resolve`: where a link leads may change, as in a folder that Kubernetes mounts.
    file = Path(os.path.abspath(file))  # noqa: PTH100  # not `absolute`, which keeps `..` as a name
    name = choice.name or _built_under(choice.target, real, environment)
    name = name or _stated_name(file, text, choice, environment)
    return Source(name=name, folder=distribution_dir(name, environment), run_yaml=file, text=None, origin=str(file))


def _stated_name(file: Path | str, text: str, choice: Choice, environment: Mapping[str, str]) -> str:
    run = read_run_config(file, environment, text=text, to_build=not choice.to_run, find_world=known(environment))
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
