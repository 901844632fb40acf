"""What callers sent for providers with the requests that have begun jobs, such as keys of their own. It is in memory
only: a job that another process does, or this one after a restart, has the configured keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from runtime.context import current, serving

_MOST = 10_000
"""Of jobs that wait: other processes may have done those that were begun first."""


class Carried:
    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, Any]] = {}

    def keep(self, job_id: str) -> None:
        """For a job, what the caller of the current request sent."""
        if sent := current().provider_data:
            self._kept[job_id] = sent
            if len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]

    def forget(self, job_id: str) -> None:
        self._kept.pop(job_id, None)

    @contextmanager
    def along(self, job_id: str) -> Iterator[None]:
        """Do a job with it. It is kept for another attempt if this one raises."""
        with serving(msgspec.structs.replace(current(), provider_data=self._kept.get(job_id, {}))):
            yield
        self.forget(job_id)
