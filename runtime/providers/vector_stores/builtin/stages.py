"""How long the stages of some work took."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.clock import span


class Stages:
    """seconds: by stage. Stages that run beside each other add up to more than the whole."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What is done in the block counts as this stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] += time.monotonic() - began

    def shown(self) -> dict[str, float]:
        return {name: round(span(taken), 3) for name, taken in self.seconds.items()}
