"""What a user chose for a server, as its record keeps it: data, its form on a command line, and the checks that need
nothing built. Whether a model's weights can be read is known to the engine alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_cli.exits import ExitCode, Failure
from llama_cli.weights.places import cached_folder, named, not_here
from runtime import discovery
from runtime.catalog import find, known_names
from runtime.catalog.on_disk import stored_folder, stored_folders
from runtime.config.home import expanded, models_dir
from runtime.config.text import is_stream
from runtime.similar import nearest, suggestion

SERVER_OPTIONS = {
    "host": "--host", "port": "--port", "log_level": "--log-level", "models": "--model", "aliases": "--alias",
    "require": "--require", "require_gpu": "--require-gpu", "without": "--without", "record": "--record",
    "replay": "--replay", "record_if_missing": "--record-if-missing", "timing": "--timing", "redact": "--redact",
    "inject": "--inject", "inject_seed": "--inject-seed",
}  # fmt: skip
"""The options of `runtime.server` by the name of their choice; `run` calls them the same."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Written to the server's record, so that `restart` can do the same again.

    target: as typed, a file as an absolute path. port 0: any free one; None: the run config's.
    aliases: `NAME=MODEL`; require: ids of providers that have to be ready; without: of those that stay off.
    state: an absolute path. record, replay, record_if_missing: the folder of recordings, as one; timing: how long a
    recorded answer takes; redact: patterns of what is not to be recorded. inject: what goes wrong on purpose, as typed.
    offline: build from what is cached on this machine.
    environment_names: of the variables given by `--env` and `--env-file`, never their values.
    for_command: it is there for one command, as `exec` has it, so that nobody starts it again.
    """

    target: str
    host: str | None = None
    port: int | None = None
    providers: str | None = None
    models: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    require_gpu: bool = False
    without: tuple[str, ...] = ()
    log_level: str | None = None
    state: str | None = None
    record: str | None = None
    replay: str | None = None
    record_if_missing: str | None = None
    timing: str | None = None
    redact: tuple[str, ...] = ()
    inject: tuple[str, ...] = ()
    inject_seed: int | None = None
    offline: bool = False
    environment_names: tuple[str, ...] = ()
    detach: bool = False
    for_command: bool = False

    @property
    def own_state(self) -> bool:
        """Whether the server gets a state folder of its own, as those on `--port 0` do, and those that replay: what an
        earlier one has kept is no part of what was recorded.
        """
        return (self.port == 0 or self.replay is not None) and self.state is None

    @property
    def records(self) -> bool:
        """Whether the server records or replays."""
        return any((self.record, self.replay, self.record_if_missing))

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Choices:
        """From the `options` of a record, whose other keys are left out."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in options.items()
            if name in cls.__dataclass_fields__
        }
        return cls(**known)

    def server_options(self) -> list[str]:
        """Those that `runtime.server` itself takes, as on its command line."""
        return [word for name, option in SERVER_OPTIONS.items() for word in as_words(option, getattr(self, name))]

    def words(self) -> list[str]:
        """All of them after `llama stack run`, without the variables."""
        words = [self.target, *self.server_options()]
        for option, value in (
            *(("--detach", self.detach), ("--providers", self.providers)),
            *(("--state", self.state), ("--offline", self.offline)),
        ):
            words += as_words(option, value)
        return words


def as_words(option: str, value: Any) -> list[str]:
    """An option as it is typed: once for each of several values; nothing for what is not given."""
    words: list[str] = []
    for each in value if isinstance(value, tuple) else (value,):
        if each is not None and each is not False:
            words += [option] if each is True else [option, str(each)]
    return words


def checked_state(given: str) -> str:
    """The absolute path of `--state`, which need not exist. Raises Failure: USAGE where it can be no folder, ACCESS
    where it may not be made.
    """
    folder = expanded(given).absolute()
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir():
        wrong = given if there == folder else there
        raise Failure.of_option("--state", f"`{wrong}` is no folder", hint="name a folder, there or new")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Failure(f"`--state`: you may not write in `{there}`", hint="name a folder of yours", code=ExitCode.ACCESS)
    try:
        folder.stat()
    except FileNotFoundError:
        pass
    except OSError as error:  # its name is too long
        raise Failure.of_option("--state", f"`{given}` cannot be a folder: {error.strerror}") from error
    return str(folder)


def check_aliases(aliases: Sequence[str]) -> None:
    """Raises Failure (USAGE) for an `--alias` that is not `NAME=MODEL`."""
    for alias in aliases:
        name, _, model = alias.partition("=")
        if not (name and model):
            raise Failure.of_option(
                "--alias", f"`{alias}` is not `NAME=MODEL`", hint="as in `--alias gpt-4o-mini=MODEL`"
            )


def refuse_model(target: str) -> None:
    """Raises Failure (USAGE) where a model stands in the place of what serves it."""
    path = expanded(target)
    if (path.suffix == ".gguf" and path.exists()) or (path / "config.json").is_file():
        hint = f"serve it with `llama stack run starter --model {target}`"
        raise Failure(f"`{target}` is a model, no distribution", hint=hint, code=ExitCode.USAGE)


def shipped_models() -> list[str]:
    """Models that come with a distribution and that `--model` takes, which is for those that write text."""
    return list(discovery.built_in().by_type["inference", "inline::meta-reference"].ships)


def checked_model(name: str) -> str:
    """What `--model` was given: the name of a model that comes with us, or an absolute path. A path is taken as it is;
    a name can be that of a model that was downloaded or imported, or that lies in Hugging Face's cache.

    Raises Failure (USAGE) for what is none of these.
    """
    if not name:
        raise Failure.of_option("--model", "an empty name", hint="is a variable not set that stands there?")
    path = expanded(name)
    if is_stream(str(path)):
        message = f"`{name}` is no regular file, and weights are read more than once"
        raise Failure.of_option("--model", message, hint="save them in one")
    if path.exists():
        # Not `resolve`: in a Hugging Face cache a link leads to a file without a name of its own. Not `absolute`, which
        # keeps `..` as a name.
        return os.path.abspath(path)  # noqa: PTH100
    if name in (shipped := shipped_models()):
        return name
    if (folder := stored_folder(models_dir(), name) or cached_folder(name)) is not None:
        return str(folder)
    if any(here.state == "incomplete" for here in named(name)):
        error = not_here(name)
        raise Failure.of_option("--model", error.message, hint=error.hint)
    if (known := find(name)) is not None:
        hint = f"`llama model download {known.descriptor}`, then again"
        raise Failure.of_option("--model", f"`{name}` is not on this disk", hint=hint)
    there = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    ours = [*shipped, *(folder.name for folder in stored_folders(models_dir()))]
    close = [
        *(nearest(name, ours) or nearest(name, known_names())),
        *(str(path.parent / match) for match in nearest(path.name, there)),
    ]
    raise Failure.of_option(
        "--model",
        f"`{name}` is neither a path nor a model that comes with us or was downloaded",
        hint=suggestion(close) or f"give `{shipped[0]}`, or the path of a GGUF file or of a checkpoint's folder",
    )
