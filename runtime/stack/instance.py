"""Who this server is, and which others it has seen behind its upstreams, so that a chain that leads back is noticed.

Every answer carries the ids in one header, ours first. A stack that finds its own id in an upstream's answer is asking
itself, at once or by way of others.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping

from runtime.ids import new_id

HEADER = "x-llama-stack-instance"
_ID = re.compile(r"stack_[0-9a-f]{24}")
_MOST = 32


class Instance:
    """One running stack. header: name and value as the server sends them; other bytes only when something changed."""

    def __init__(self) -> None:
        self.id = new_id("stack_")
        self._behind: dict[Hashable, tuple[str, ...]] = {}
        self.header = self._written()

    def leads_back(self, provider: Hashable, headers: Mapping[str, str]) -> bool:
        """Whether our id is among those that an upstream's answer carries; all of them are noted.

        They are passed on even then: each stack of a circle refuses for as long as the circle is there.
        """
        ids = tuple(_ID.findall(headers.get(HEADER, "")))[:_MOST]
        if self._behind.get(provider, ()) != ids:
            self._behind[provider] = ids
            self.header = self._written()
        return self.id in ids

    def forget(self, provider: Hashable) -> None:
        """Its upstream cannot be asked any more: whoever was behind it may be gone."""
        if self._behind.pop(provider, None):
            self.header = self._written()

    def _written(self) -> tuple[bytes, bytes]:
        others = dict.fromkeys(other for ids in self._behind.values() for other in ids if other != self.id)
        return HEADER.encode(), ",".join([self.id, *others][:_MOST]).encode()
