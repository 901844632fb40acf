"""For providers that run a model in this process: the fields of a request that are not their API's, and those that have
no effect.
"""

from __future__ import annotations

from typing import Any

from runtime.apis._request import ExtensibleRequest
from runtime.context import current, warn

_IGNORED = "ignored by this provider: "


def extra_fields(request: ExtensibleRequest) -> dict[str, Any]:
    """The fields of a request that its API does not have; null is as good as left out."""
    return {name: value for name, value in (request.model_extra or {}).items() if value is not None}


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
