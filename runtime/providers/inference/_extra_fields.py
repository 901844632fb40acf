"""For providers that run a model in this process: the fields of a request that are not their API's, and those that have
no effect.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from runtime.apis._request import ExtensibleRequest
from runtime.context import current, warn
from runtime.errors import RequestError
from runtime.providers.inference._kept_settings import keep_alive_seconds
from runtime.similar import LONGEST_NAME

_IGNORED = "ignored by this provider: "
_FEW, _SURE = 8, 0.8
"""Of how many unknown fields a known one is looked for, and how like it must be, as difflib counts."""


def extra_fields(request: ExtensibleRequest) -> dict[str, Any]:
    """The fields of a request that its API does not have; null is as good as left out."""
    return {name: value for name, value in (request.model_extra or {}).items() if value is not None}


def warn_unknown(names: Collection[str], known: Collection[str]) -> None:
    """As `warn_ignored`, of fields that nobody knows, the first few with the known one that is surely meant."""
    few = sorted(names)[:_FEW]
    near = {name: get_close_matches(name, known, n=1, cutoff=_SURE) for name in few if len(name) <= LONGEST_NAME}
    warn_ignored(*(f"{name} ({near[name][0]}?)" if near.get(name) else name for name in sorted(names)))


def warn_ignored(*names: str) -> None:
    """Say that fields have no effect here, all of a request's in one warning; nothing where there are none."""
    if not names:
        return
    warnings = current().warnings
    for at, words in enumerate(warnings):
        if words.startswith(_IGNORED):
            warnings[at] = ", ".join([words, *names])
            return
    warn(_IGNORED + ", ".join(names))


def checked_keep_alive(given: Any) -> float | None:
    """The seconds that a request's `keep_alive` asks for, infinity for ever; None where it has none. Raises
    RequestError.
    """
    if given is None:
        return None
    try:
        return keep_alive_seconds(given)
    except ValueError as error:
        raise RequestError(f"`keep_alive`: {error}", param="keep_alive") from error
