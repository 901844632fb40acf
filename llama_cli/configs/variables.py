"""The variables of a run config as a person needs them: what each does, whether it is set, and which ones that are set
nothing reads. Knows which names are secrets', and shows no value of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from runtime import discovery
from runtime.config import references
from runtime.config.mentions import Mention
from runtime.config.variables import is_like, lookup
from runtime.redaction import is_secret, redact_text

State = Literal["needed", "set", "default", "unset"]

_ADDRESS = {"URL", "HOST", "ADDRESS", "ENDPOINT", "BASE", "API", "SERVER", "URI"}
_KEY = {"API", "KEY", "APIKEY", "TOKEN", "ACCESS", "AUTH", "SECRET"}


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable that a run config reads. value: None for a secret and where it is not set. default: what stands in its
    place then; None where it is a secret, or has_default is false.

    turns_on: provider types. purpose: what it is for, in words. used_at: as `{path, line}`.
    """

    name: str
    is_set: bool
    is_secret: bool
    is_required: bool
    value: str | None
    default: str | None
    has_default: bool
    turns_on: tuple[str, ...]
    purpose: str
    used_at: tuple[dict[str, Any], ...]

    @property
    def state(self) -> State:
        if self.is_set:
            return "set"
        return "needed" if self.is_required else "default" if self.has_default else "unset"


def variables_of(
    mentioned: Iterable[Mention], environment: Mapping[str, str], *, purposes: Mapping[str, str]
) -> list[Variable]:
    """The variables of a run config, in the order in which it first reads them."""
    by_name: dict[str, list[Mention]] = {}
    for mention in mentioned:
        by_name.setdefault(mention.variable, []).append(mention)
    return [_variable(name, uses, environment, purposes) for name, uses in by_name.items()]


def _variable(name: str, uses: list[Mention], environment: Mapping[str, str], purposes: Mapping[str, str]) -> Variable:
    value = lookup(name, environment)
    is_hidden = is_secret(name) or any(use.is_secret for use in uses) or name in _key_variables()
    default = next((use.argument for use in uses if use.form == "=" and use.argument), None)
    places = dict.fromkeys((use.path, use.line) for use in uses)
    return Variable(
        name=name,
        is_set=bool(value),
        is_secret=is_hidden,
        is_required=any(use.is_required for use in uses),
        value=redact_text(value) if value and not is_hidden else None,
        default=redact_text(default) if default and not is_hidden else None,
        has_default=default is not None,
        turns_on=tuple(dict.fromkeys(use.turns_on for use in uses if use.turns_on)),
        purpose=_purpose(uses, purposes.get(name)),
        used_at=tuple({"path": path, "line": line} for path, line in places),
    )


def _purpose(uses: list[Mention], stated: str | None) -> str:
    """As a template says it, and the providers that it turns on; else the settings whose value it is."""
    switched = dict.fromkeys(use.turns_on for use in uses if use.turns_on)
    settings = dict.fromkeys(
        f"`{use.key}` of {use.owner}" if use.owner else f"`{use.path}`" for use in uses if not use.turns_on
    )
    parts = [stated, f"turns on {', '.join(switched)}" if switched else None]
    return "; ".join(filter(None, parts)) or ", ".join(settings)


@cache
def _key_variables() -> frozenset[str]:
    """The variables with the keys of vendors."""
    return frozenset(spec.key_env for spec in discovery.built_in().specs if spec.key_env)


def unread(read: Iterable[str], environment: Mapping[str, str]) -> dict[str, list[str]]:
    """The variables that are set and look meant for a run config that reads others: each with the names that are read
    and were probably meant. Of one that a provider of ours would read, but none of this run config does, that provider
    is what is missing, and it has no such names.
    """
    names = list(dict.fromkeys(read))
    found: dict[str, list[str]] = {}
    for name, value in sorted(environment.items()):
        if not value or name in names:
            continue
        meant = [other for other in names if not lookup(other, environment) and _is_meant(name, other)]
        if meant or name in known_to_providers():
            found[name] = meant
    return found


@cache
def known_to_providers() -> Mapping[str, tuple[str, ...]]:
    """The variables that templates read for providers of ours, each with the provider types."""
    found: dict[str, tuple[str, ...]] = {}
    for spec in discovery.built_in().specs:
        stated = [spec.enabled_by, spec.key_env]
        for text in spec.sample_config.values():
            stated += [one.variable for one in references.find(text)[0]] if isinstance(text, str) else []
        for name in filter(None, dict.fromkeys(stated)):
            found[name] = (*found.get(name, ()), spec.provider_type)
    return found


def _is_meant(name: str, read: str) -> bool:
    """Whether a variable is another name for one that is read: mistyped, or the same of the same vendor in other
    words (`OLLAMA_HOST`, `OLLAMA_URL`).
    """
    ours, theirs = name.upper().split("_"), read.upper().split("_")
    rest, wanted = set(ours[1:]), set(theirs[1:])
    is_same_kind = bool(rest and wanted) and any(rest <= kind and wanted <= kind for kind in (_ADDRESS, _KEY))
    return is_like(name, read) or (ours[0] == theirs[0] and is_same_kind)
