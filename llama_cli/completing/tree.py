"""What completion knows of the commands: their names, options and what each takes, without importing Typer.

The tree is read from the commands once and kept in the Llama home, as JSON, until a file of ours changes.

    <home>/cache/completion.json
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict
from zlib import crc32

from runtime import __version__
from runtime.config.home import atomic_write, cache_dir

KINDS: dict[str, tuple[str, ...]] = {
    "DISTRO": ("distributions",),
    "DISTRO|NAME|FILE": ("distributions", "files"),
    "DISTRO|NAME|FILE|URL": ("distributions", "files"),
    "A": ("distributions", "files"),
    "B": ("distributions", "files"),
    "PATH|NAME": ("models_to_serve", "files"),
    "DIR": ("folders",),
    "[DIR]": ("folders",),
    "RECORDING": ("files",),
    "[RECORDING]...": ("files",),
    "SOURCE": ("files",),
    "API": ("apis",),
    "new-provider API": ("generated_apis",),
    "TYPE": ("provider_types",),
    "API=TYPE,...": ("providers_of_apis",),
    "PROVIDER": ("provider_names",),
    "NAME[=VALUE]": ("variables",),
    "MODEL": ("models",),
    "model MODEL": ("known_models",),
    "model PATH": ("files",),
    "TEMPLATE": ("templates",),
    "remove NAME": ("built",),
    "STATE": ("states",),
    "wait STATE": ("states", "ends"),
    "URL|NAME": ("servers",),
    "SERVER": ("servers",),
    "[NAME|URL]": ("servers",),
    "[NAME|URL]...": ("servers",),
    "[COMMAND]...": ("commands",),
    "-- COMMAND...": ("programs",),
    "SHELL": ("shells",),
    "METHOD": ("methods",),
    "TOOL": ("clients",),
    "KIND": ("kept_kinds",),
    "SERVICE": ("distributions",),
    "[SUITE]": ("files",),
    "RUN": ("files",),
    "[RUN]": ("files",),
    "BASELINE": ("files",),
    "service PATH": ("files",),
    "exec PATH": ("files",),
}
"""What an option or an argument takes, by its metavar, where needed with the command or group before it."""
KINDS_OF_NAMES: dict[str, tuple[str, ...]] = {
    "api": ("apis",),
    "name": ("servers",),
    "model": ("models",),
    "file": ("files",),
}
"""The same for those without a metavar, by their name."""


class Taken(TypedDict):
    """What an option or an argument is. names: of an option; kinds: of what it takes, none for a flag; is_behind: it is
    an argument that stands behind `--`.
    """

    names: list[str]
    help: str
    kinds: list[str]
    choices: list[str]
    is_flag: bool
    is_many: bool
    is_behind: bool


class Node(TypedDict):
    """A command, or a group of commands by name. default: the one that is meant where none is named, if one is."""

    help: str
    commands: dict[str, Node]
    default: str | None
    options: list[Taken]
    arguments: list[Taken]


def tree(*, keeps: bool = False) -> Node:
    """The tree as it is kept, or read from the commands where that is older than they are.

    keeps: also where there is no Llama home yet, which a key that is pressed does not make.
    """
    file, key = _file(), _key()
    if file is not None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(file.read_text(encoding="utf-8"))
            if kept["key"] == key:
                found: Node = kept["tree"]
                return found
    made = _read()
    if file is not None and (keeps or file.parent.parent.is_dir()):
        with suppress(OSError):
            atomic_write(file, json.dumps({"key": key, "tree": made}))
    return made


def _file() -> Path | None:
    from runtime.errors import StackError

    with suppress(StackError):
        return cache_dir() / "completion.json"
    return None


def _key() -> str:
    """Other where a file of a command has changed, come or gone; also where an installer gives all files one time."""
    files = []
    folders = [str(Path(__file__).parents[1])]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir() and entry.name != "__pycache__":
                    folders.append(entry.path)
                elif entry.name.endswith(".py"):
                    seen = entry.stat()
                    files.append(f"{entry.path} {seen.st_mtime_ns} {seen.st_size}")
    return f"{__version__} {crc32(chr(10).join(sorted(files)).encode(errors='surrogateescape')):08x}"


def _read() -> Node:
    from typer._click.core import Context

    from llama_cli.main import root

    return _node(root(), Context(root(), info_name="llama"), "")


def _node(command: Any, context: Any, what: str) -> Node:
    from typer._click.core import Context

    from llama_cli.commands import summary

    commands = {}
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        child = command.get_command(context, name)
        commands[name] = _node(child, Context(child, info_name=name, parent=context), summary(command.modules[name]))
    words = context.command_path.split()[1:]
    params = [param for param in command.get_params(context) if not getattr(param, "hidden", False)]
    return {
        "help": what,
        "commands": commands,
        "default": getattr(command, "default", None),
        "options": [_taken(param, words) for param in params if param.param_type_name == "option"],
        "arguments": [_taken(param, words) for param in params if param.param_type_name == "argument"],
    }


def kinds_of(param: Any, words: Sequence[str]) -> tuple[str, ...]:
    """What completes an option or an argument, of the command of these words; empty where nothing can."""
    metavar = param.metavar or ""
    if not metavar:
        return KINDS_OF_NAMES.get(param.name, ())
    files = ("files",) if "FILE" in metavar.strip("[]").split("|") else ()
    keys = [*(f"{word} {metavar}" for word in reversed(words)), metavar]
    return next((KINDS[key] for key in keys if key in KINDS), files)


def _taken(param: Any, words: Sequence[str]) -> Taken:
    from llama_cli.commands import argument_behind_dashes

    is_flag = bool(getattr(param, "is_flag", False))
    return {
        "names": [*param.opts, *param.secondary_opts] if param.param_type_name == "option" else [],
        "help": (param.help or "").split(". ")[0].rstrip("."),
        "kinds": [] if is_flag else list(kinds_of(param, words)),
        "choices": [str(choice) for choice in getattr(param.type, "choices", ())],
        "is_flag": is_flag,
        "is_many": bool(getattr(param, "multiple", False)) or param.nargs == -1,
        "is_behind": argument_behind_dashes([param]) is not None,
    }
