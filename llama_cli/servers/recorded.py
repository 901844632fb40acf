"""What of a server's providers is recorded or replayed, as it is chosen: by options, or by the variables of llama-stack
and ogx.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import recording_variables
from llama_cli.terminal import console
from runtime.config.home import expanded

MODES = {"--record": "record", "--replay": "replay", "--record-if-missing": "record_if_missing"}
"""The options, each with the name of its choice."""
_OLDER_MODES = {"record": "--record", "replay": "--replay", "record-if-missing": "--record-if-missing", "live": ""}


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """record, replay, record_if_missing: the folder, as an absolute path, of the one that is chosen, if any."""

    record: str | None = None
    replay: str | None = None
    record_if_missing: str | None = None


def chosen(given: Mapping[str, str | None], variables: Mapping[str, str], *, is_live: bool) -> Recorded:
    """What is chosen by options, or else by variables. given: folders by option. is_live: whether everything is asked
    for real, whatever the variables say.

    Raises Failure: USAGE for several options, and for a folder that is none; CONFIG for variables that make no sense.
    """
    named = {option: folder for option, folder in given.items() if folder is not None}
    if len(named) + is_live > 1:
        options = " and ".join(f"`{option}`" for option in [*named, *(["--live"] if is_live else [])])
        raise Failure(f"{options} exclude each other", hint="give one of them", code=ExitCode.USAGE)
    if not named and not is_live:
        named = _of_variables(variables)
    for option, folder in named.items():
        return Recorded(**{MODES[option]: _folder(option, folder)})
    return Recorded()


def with_recorded(variables: Mapping[str, str], replay: str | None) -> dict[str, str]:
    """The variables of a server that replays: those that turned providers on when it was recorded get a value where
    they have none, since nobody is asked for real. Raises Failure (CONFIG) for a folder that cannot be used.
    """
    found = dict(variables)
    if replay is None:
        return found
    from runtime.errors import StackError
    from runtime.recording.manifest import Manifest  # takes its time, and is for a replay alone

    try:
        recorded = Manifest.read(Path(replay))
        if recorded is None:  # else a provider that nothing turns on would be named as what is wrong
            from runtime.recording.library import check_recorded

            check_recorded(Path(replay))
    except StackError as error:
        raise Failure(error.message, hint=error.hint, code=ExitCode.CONFIG) from error
    for name, value in (recorded.variables if recorded else {}).items():
        if not found.get(name):
            found[name] = value
    return found


def _of_variables(variables: Mapping[str, str]) -> dict[str, str]:
    name = next((name for name in recording_variables.MODE if variables.get(name)), None)
    if name is None:
        return {}
    mode = variables[name].strip().lower()
    if mode not in _OLDER_MODES:
        known = ", ".join(_OLDER_MODES)
        raise Failure(f"`{name}` is `{mode}`", hint=f"it can be {known}; or unset it", code=ExitCode.CONFIG)
    option = _OLDER_MODES[mode]
    if not option:
        return {}
    folder = next((variables[one] for one in recording_variables.FOLDER if variables.get(one)), None)
    if folder is None:
        hint = f"set `{name.replace('INFERENCE_MODE', 'RECORDING_DIR')}`, or give `{option} DIR`"
        raise Failure(f"`{name}` is `{mode}`, and nothing says where", hint=hint, code=ExitCode.CONFIG)
    console.say(f"{option} {folder}, as `{name}` says")
    return {option: folder}


def _folder(option: str, given: str) -> str:
    if not given:
        raise Failure.of_option(option, "an empty name", hint="is a variable not set that stands there?")
    folder = expanded(given).absolute()
    if folder.exists() and not folder.is_dir():
        raise Failure.of_option(option, f"`{given}` is no folder", hint="name the folder of the recordings")
    if option == "--replay" and not folder.is_dir():
        hint = "record them: the same with `--record` in place of `--replay`"
        raise Failure(f"there are no recordings at `{given}`", hint=hint, code=ExitCode.CONFIG)
    return str(folder)
