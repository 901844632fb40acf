"""The id of this server, and the ids of servers behind its upstreams, so that we notice when a chain leads back to us.

Every answer has the ids in one header, ours first. A stack that finds its own id in an upstream's answer calls itself,
directly or through others.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping

from runtime.ids import new_id

HEADER = "x-llama-stack-instance"
_ID = re.compile(r"stack_[0-9a-f]{24}")
_MAX_IDS = 32


class Instance:
    """One running stack. header: name and value that the server sends; a new object only after a change."""

    def __init__(self) -> None:
        self.id = new_id("stack_")
        self._behind: dict[Hashable, tuple[str, ...]] = {}
        self.header = self._written()

    def leads_back(self, provider: Hashable, headers: Mapping[str, str]) -> bool:
        """Whether our id is in an upstream's answer. All ids in it are kept for our own header.

        Also if it leads back: every stack of a circle must see its own id as long as the circle exists.
        """
        ids = tuple(_ID.findall(headers.get(HEADER, "")))[:_MAX_IDS]
        if self._behind.get(provider, ()) != ids:
            self._behind[provider] = ids
            self.header = self._written()
        return self.id in ids

    def forget(self, provider: Hashable) -> None:
        """Remove the ids of a provider that is unreachable, since the servers behind it may have changed."""
        if self._behind.pop(provider, None):
            self.header = self._written()

    def _written(self) -> tuple[bytes, bytes]:
        others = dict.fromkeys(other for ids in self._behind.values() for other in ids if other != self.id)
        return HEADER.encode(), ",".join([self.id, *others][:_MAX_IDS]).encode()
