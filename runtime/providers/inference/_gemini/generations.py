"""What differs between generations of Gemini's models, told by their names.

https://ai.google.dev/gemini-api/docs/thinking and https://ai.google.dev/gemini-api/docs/thought-signatures (read
November 2026)
"""

from __future__ import annotations

import re

_GENERATION = re.compile(r"gemini-(\d+)")
_LEVELS_SINCE = 3


def thinks_by_levels(model: str) -> bool:
    """Whether a model has levels of thinking, in place of a budget of tokens; names such as `gemini-flash-latest` mean
    models that do. Such models also give each call an id, and want back the signature of what they thought before it.
    """
    found = _GENERATION.search(model)
    return found is None or int(found[1]) >= _LEVELS_SINCE
