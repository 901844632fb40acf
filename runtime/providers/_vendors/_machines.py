"""What is remembered of a search for the machine of a vendor's that a provider may run on."""

from __future__ import annotations

import time

_BELIEVED_S = 60.0


class NoMachine:
    """That this is no machine of a vendor's, which is believed for a minute: each look costs a second."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def is_believed(self) -> bool:
        return time.monotonic() < self._until

    def found(self) -> None:
        """After a look."""
        self._until = time.monotonic() + _BELIEVED_S
