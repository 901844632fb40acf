"""How much is logged, by category: `logging.category_levels` of a run config, and the `LLAMA_STACK_LOGGING` variable.

| category                                  | what it covers                                               |
|-------------------------------------------|--------------------------------------------------------------|
| `all`                                     | everything of ours; the others are exceptions from it        |
| `server`                                  | the HTTP server, with a line for each request                |
| `routing`, `router`                       | routers and registrations                                    |
| `core`                                    | the stack, its plan, and what stands in no folder            |
| `engine`, `http`, `storage`, `config`, ...| that folder of `runtime`; `http` is the way out              |
| `inference`, `providers/inference`, ...   | the providers of one API; `providers::inference` is the same |

Other libraries are not ours: they speak from warnings up.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Mapping
from pathlib import Path

import runtime
from runtime.errors import ConfigInvalid, Problem

_VARIABLES = ("LLAMA_STACK_LOGGING", "OGX_LOGGING")
_LEVELS = ("debug", "info", "warning", "error", "critical")
_LOGGERS = {
    "all": ("runtime",),
    "server": ("runtime.server",),
    "router": ("runtime.routing",),
    "core": (
        "runtime.stack",
        *(f"runtime.{module.name}" for module in pkgutil.iter_modules(runtime.__path__) if not module.ispkg),
    ),
}


def levels_in(environment: Mapping[str, str]) -> dict[str, str]:
    """What `LLAMA_STACK_LOGGING="all=warning;routing=debug"` says, or `OGX_LOGGING` where that is not set.

    Raises ConfigInvalid for whatever in it is not `category=level`.
    """
    variable = next((name for name in _VARIABLES if environment.get(name)), None)
    levels: dict[str, str] = {}
    problems = []
    for part in environment[variable].split(";") if variable else ():
        category, _, level = (word.strip() for word in part.partition("="))
        if level.lower() in _LEVELS and category:
            levels[category] = level.lower()
        elif part.strip():
            hint = f"levels are {', '.join(_LEVELS)}"
            problems.append(Problem(message=f"`{part.strip()}` is not category=level", path=variable or "", hint=hint))
    if problems:
        raise ConfigInvalid(problems, what="environment")
    return levels


def set_levels(levels: Mapping[str, str]) -> list[str]:
    """Set levels by category; a part of another category goes by its own. Returns those that are not known here."""
    unknown = []
    for category, level in levels.items():
        found = loggers_of(category)
        for name in found:
            logging.getLogger(name).setLevel(level.upper())
        if not found:
            unknown.append(category)
    return unknown


def loggers_of(category: str) -> tuple[str, ...]:
    """The names of the loggers of a category; none for one that is not known here."""
    name = category.strip().lower().replace("::", "/")
    if name in _LOGGERS:
        return _LOGGERS[name]
    parts = name.split("/")
    if not all(part.isidentifier() for part in parts):
        return ()
    for base in ("runtime", "runtime.providers"):
        if Path(runtime.__path__[0], *base.split(".")[1:], *parts).is_dir():
            return (".".join((base, *parts)),)
    return ()
