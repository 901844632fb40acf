"""How long each phase of a call to another server may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """In seconds. connect_s: until the connection is open. read_s: the longest silence between two reads or writes; for
    a stream, the time to the next token. first_byte_s: from the end of the request to the answer's headers, and from
    them to the first byte of its body; None means read_s. total_s: the whole call with the answer's body; None for no
    limit.
    """

    connect_s: float = 10.0
    read_s: float = 600.0
    first_byte_s: float | None = None
    total_s: float | None = None
