"""How much is logged, by category: `logging.category_levels` of a run config, and the `LLAMA_STACK_LOGGING` variable.

| category                                  | what it covers                                               |
|-------------------------------------------|--------------------------------------------------------------|
| `all`                                     | all our logs; the other categories are exceptions from it    |
| `server`                                  | the HTTP server, with a line for each request                |
| `routing`, `router`                       | routers and registrations                                    |
| `core`                                    | the stack, its plan, and modules outside of a folder         |
| `engine`, `http`, `storage`, `config`, ...| that folder of `runtime`; `http` is calls to other servers   |
| `inference`, `providers/inference`, ...   | the providers of one API; `providers::inference` is the same |

Other libraries log warnings and errors only.
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


def levels_in(env: Mapping[str, str]) -> dict[str, str]:
    """The levels in `LLAMA_STACK_LOGGING="all=warning;routing=debug"`, or in `OGX_LOGGING` if that is not set.

    Raises ConfigInvalid for every part that is not `category=level`.
    """
    variable = next((name for name in _VARIABLES if env.get(name)), None)
    levels: dict[str, str] = {}
    problems = []
    for part in env[variable].split(";") if variable else ():
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
    """Set levels by category; a more specific category overrides a general one. Returns unknown categories."""
    unknown = []
    for category, level in levels.items():
        found = loggers_of(category)
        for name in found:
            logging.getLogger(name).setLevel(level.upper())
        if not found:
            unknown.append(category)
    return unknown


def loggers_of(category: str) -> tuple[str, ...]:
    """The names of the loggers of a category; empty for an unknown category."""
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
