"""Headers of answers as bytes, whatever their values hold: they may quote the caller, or come from a provider.

With a line break in it a value could add a header; what is not Latin-1 cannot be sent (RFC 9110, 5.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_HIDDEN = re.compile(r"[\x00-\x1f\x7f]")


def header_bytes(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers by name, with `?` for what a value cannot hold."""
    return [
        (name.encode("latin-1"), _HIDDEN.sub("?", value).encode("latin-1", "replace"))
        for name, value in headers.items()
    ]
