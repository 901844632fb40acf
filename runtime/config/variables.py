"""Reads an environment variable: also under its older names, and ignoring service addresses that Kubernetes sets.

Knows names and values; not where they are used. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ALIKE = 0.87
"""How much of two names has to be the same for one to be the other mistyped; 1 is all of it."""
_PREFIXES = ("LLAMA_STACK_", "OGX_")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+:[0-9]+")


def lookup(variable: str, env: Mapping[str, str]) -> str:
    """The variable's value, empty when unset; `OGX_X` and `LLAMA_STACK_X` are two names of one variable."""
    return next((value for name in _names(variable) if (value := env.get(name)) and not is_link(name, value)), "")


def is_like(one: str, other: str) -> bool:
    """Whether two names differ as by a slip of the hand: `OPENAI_APIKEY`, `OPENAI_API_KEY`."""
    a, b = one.upper(), other.upper()
    if a.replace("_", "") == b.replace("_", ""):
        return True
    if 2 * min(len(a), len(b)) < _ALIKE * (len(a) + len(b)):  # a matcher would say so too, but has to be made first
        return False
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, a, b)
    return matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE


def links(variable: str, env: Mapping[str, str]) -> list[str]:
    """The names under which `lookup` found a service address instead of a value."""
    return [name for name in _names(variable) if is_link(name, env.get(name, ""))]


def is_link(name: str, value: str) -> bool:
    """Whether Kubernetes set the variable: if a service is called `llama-stack`, every pod in its namespace gets
    `LLAMA_STACK_PORT=tcp://10.0.0.1:8321`, which no user chose as a port.
    https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """
    return name.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(value) is not None


def _names(variable: str) -> list[str]:
    for prefix in _PREFIXES:
        if variable.startswith(prefix):
            return [variable, *(other + variable.removeprefix(prefix) for other in _PREFIXES if other != prefix)]
    return [variable]
