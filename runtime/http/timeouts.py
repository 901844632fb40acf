"""How long a call to another server may take, phase by phase."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """In seconds. connect_s: until there is a connection. read_s: the longest silence between two reads or writes, so
    for a stream the time to the next token. first_byte_s: from the end of the request to the answer's first byte; None
    for as long as read_s. total_s: of the whole call, the answer's body included; None for no limit.
    """

    connect_s: float = 10.0
    read_s: float = 600.0
    first_byte_s: float | None = None
    total_s: float | None = None

    def until(self, deadline: float) -> Timeouts:
        """The same, ending at `deadline` of `time.monotonic()` at the latest. total_s may come out negative."""
        left_s = deadline - time.monotonic()
        return self if self.total_s is not None and self.total_s <= left_s else replace(self, total_s=left_s)
