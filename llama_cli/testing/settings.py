"""How the stack of a test is started: what its marks say, over that the command line, below it the environment and the
configuration of pytest.

Imports nothing of `runtime`, which can be a package of the project that is tested.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llama_cli.servers import recording_variables

if TYPE_CHECKING:
    import pytest

Mode = Literal["record", "replay", "record-if-missing", "live"]
MODES: tuple[Mode, ...] = ("record", "replay", "record-if-missing", "live")
MARK = "llama_stack"
_BY_MODE = {mode.replace("-", "_"): mode for mode in MODES}
_OF_A_MARK = ("target", *_BY_MODE, "inject", "options")
SIGNATURE = f"{MARK}({', '.join(f'{name}=' for name in _OF_A_MARK)})"


class SettingsInvalid(Exception):
    """Settings that make no sense. Its text says which."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a stack is started. target: a distribution or a run config; recordings: the folder of them; inject: faults;
    options: more of `llama stack exec`; folder: where that is run.
    """

    target: str = "starter"
    mode: Mode = "replay"
    recordings: str = "tests/recordings"
    inject: str | None = None
    options: tuple[str, ...] = ()
    folder: str = "."

    def words(self) -> list[str]:
        """The options of `exec`."""
        recorded = ["--live"] if self.mode == "live" else [f"--{self.mode}", self.recordings]
        faults = [] if self.inject is None else ["--inject", self.inject]
        return [*recorded, *faults, *self.options]


def settings_of(config: pytest.Config, marks: Iterable[pytest.Mark]) -> Settings:
    """The settings of a test. marks: its own, the closest first. Raises SettingsInvalid.

    What the command line and the environment name is looked for where pytest was called, all else from its root.
    """
    given, here = _joined(marks), config.invocation_params.dir
    mode = _variable(recording_variables.MODE).strip().lower() or config.getini("llama_stack_mode")
    told = _variable(recording_variables.FOLDER)
    recordings = _path(here, told) if told else _path(config.rootpath, config.getini("llama_stack_recordings"))
    for name, value in given.items():
        if name in _BY_MODE and value:
            mode = _BY_MODE[name]
            recordings = recordings if value is True else _path(config.rootpath, value)
    mode = config.getoption("--llama-stack-mode") or mode
    if mode not in MODES:
        raise SettingsInvalid(f"`{mode}` is no mode of recordings: {', '.join(MODES)}")
    if folder := config.getoption("--llama-stack-recordings"):
        recordings = _path(here, folder)
    target = str(given.get("target") or config.getini("llama_stack"))
    as_file = Path(_path(config.rootpath, target))
    return Settings(
        target=config.getoption("--llama-stack") or (str(as_file) if as_file.is_file() else target),
        mode=mode,
        recordings=recordings,
        inject=given.get("inject"),
        options=(*config.getini("llama_stack_options"), *_words(given.get("options"))),
        folder=str(here),
    )


def _joined(marks: Iterable[pytest.Mark]) -> dict[str, Any]:
    """What marks say together: a closer one decides, and it alone what is done with recordings, if it says so."""
    joined: dict[str, Any] = {}
    for mark in marks:
        unknown = mark.kwargs.keys() - set(_OF_A_MARK)
        if unknown or mark.args:
            which = ", ".join(f"`{name}`" for name in sorted(unknown)) or "place for values without a name"
            raise SettingsInvalid(f"@pytest.mark.{MARK} has no {which}: {SIGNATURE}")
        modes = [name for name in mark.kwargs if name in _BY_MODE]
        if len(modes) > 1:
            raise SettingsInvalid(
                f"@pytest.mark.{MARK}: {' and '.join(f'`{name}`' for name in modes)} exclude each other"
            )
        is_decided = any(name in _BY_MODE for name in joined)
        farther = {name: value for name, value in mark.kwargs.items() if not (is_decided and name in _BY_MODE)}
        joined = {**farther, **joined}
    return joined


def _path(folder: Path, given: Any) -> str:
    return str(folder / Path(given).expanduser())


def _words(given: str | Iterable[str] | None) -> tuple[str, ...]:
    return tuple(shlex.split(given) if isinstance(given, str) else map(str, given or ()))


def _variable(names: Iterable[str], environment: Mapping[str, str] = os.environ) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")
