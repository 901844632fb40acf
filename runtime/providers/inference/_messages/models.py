"""In what Anthropic's models differ: told by their names, and by the list of models, which goes before.

https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting (which thinks how),
https://platform.claude.com/docs/en/build-with-claude/thinking (sampling, forced calls),
https://platform.claude.com/docs/en/build-with-claude/effort,
https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages,
https://platform.claude.com/docs/en/api/models/list (read November 2026)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""From the least to the most."""
_UP_TO_HIGH, _WITHOUT_XHIGH = EFFORTS[:3], ("low", "medium", "high", "max")


@dataclass(frozen=True, kw_only=True)
class Model:
    """thinks: `adaptive` decides itself how long, `budget` is told a number of tokens; None: it does not think. off:
    the kind of `thinking` that turns it off; None: nothing does. efforts: the levels of `output_config.effort`.
    samples: whether it takes `temperature` and `top_p`, both together, or one of them. forced: whether it can be made
    to call a tool. schemas: whether it holds answers and arguments to a schema. late_system: whether a system may speak
    within a conversation. most_tokens: the longest answer it can give; None where nobody says.
    """

    thinks: Literal["adaptive", "budget", None] = "adaptive"
    off: Literal["disabled", "between_tools", None] = "disabled"
    efforts: tuple[str, ...] = EFFORTS
    samples: Literal["both", "one", "none"] = "none"
    forced: bool = True
    schemas: bool = True
    late_system: bool = False
    most_tokens: int | None = None


_BUDGET = Model(thinks="budget", efforts=(), samples="one")
_ALWAYS = Model(off=None, late_system=True)
_NAMES: tuple[tuple[str, Model], ...] = (
    (r"3-7", replace(_BUDGET, schemas=False)),
    (r"\d|instant", Model(thinks=None, efforts=(), samples="both", schemas=False)),
    (r"(?:opus|sonnet)-4(?:-[01])?(?:-\d{8})?$", replace(_BUDGET, schemas=False)),
    (r"opus-4-5", replace(_BUDGET, efforts=_UP_TO_HIGH)),
    (r"(?:sonnet|haiku)-4-5", _BUDGET),
    (r"(?:opus|sonnet)-4-6", Model(efforts=_WITHOUT_XHIGH, samples="one")),
    (r"opus-4-7", Model()),
    (r"opus-4-8", Model(late_system=True)),
    (r"mythos-preview", replace(_ALWAYS, late_system=False)),
    (r"(?:fable|mythos)-5(?:-\d{8})?$", _ALWAYS),
    (r"(?:opus-5-5|fable-5|mythos-5)", replace(_ALWAYS, forced=False)),
    (r"sonnet-5-5", Model(off="between_tools", forced=False, late_system=True)),
    (r"(?:opus-5|haiku-5-5)", Model(late_system=True)),
    (r"sonnet-5", Model()),
)
"""Beginnings of names, behind `claude-`."""
_NEWER = Model(off=None)
"""A Claude that came later; Anthropic refuses what it cannot."""
_OTHER = replace(_BUDGET, samples="both")
"""A model of another server with this API."""


def model_of(name: str, listed: Mapping[str, Any]) -> Model:
    """listed: its entry in the list of models; empty where there is none."""
    return _as_listed(_by_name(name.lower()), listed)


def input_modalities(listed: Mapping[str, Any]) -> list[str] | None:
    """What a model of the list takes; None where it does not say."""
    takes = {"image": _can(listed, "image_input"), "file": _can(listed, "pdf_input")}
    return ["text", *(kind for kind, does in takes.items() if does)] if any(takes.values()) else None


def _by_name(name: str) -> Model:
    _, claude, rest = name.rpartition("claude-")
    if not claude:
        return _OTHER
    return next((model for beginning, model in _NAMES if re.match(beginning, rest)), _NEWER)


def _as_listed(model: Model, listed: Mapping[str, Any]) -> Model:
    found: dict[str, Any] = {}
    kinds = {kind: _can(listed, "thinking", "types", kind) for kind in ("adaptive", "enabled")}
    if None not in kinds.values():
        found["thinks"] = "adaptive" if kinds["adaptive"] else "budget" if kinds["enabled"] else None
    off: tuple[Literal["disabled", "between_tools"], ...] = ("disabled", "between_tools")
    if any(_can(listed, "thinking", "types", kind) is not None for kind in off):
        found["off"] = next((kind for kind in off if _can(listed, "thinking", "types", kind)), None)
    if (has_efforts := _can(listed, "effort")) is not None:
        found["efforts"] = tuple(one for one in EFFORTS if _can(listed, "effort", one)) if has_efforts else ()
    if (schemas := _can(listed, "structured_outputs")) is not None:
        found["schemas"] = schemas
    most = listed.get("max_tokens")
    if isinstance(most, int) and not isinstance(most, bool) and most > 0:
        found["most_tokens"] = most
    return replace(model, **found)


def _can(listed: Mapping[str, Any], *path: str) -> bool | None:
    """What its capabilities say; None where they do not."""
    found: Any = listed.get("capabilities")
    for name in (*path, "supported"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, bool) else None
