"""What stands in for telemetry in a replay, which keeps nothing of itself."""

from __future__ import annotations


class NothingKept:
    """Has no operation of `Telemetry`, so each is refused by name."""

    def __init__(self, config: object, context: object) -> None:
        pass
