"""What the last hour was like, in a few numbers: how many requests, how many of them failed, how long they took, and
how many tokens and USD they cost. Kept by the minute, so that an hour costs as much as a minute.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from runtime.telemetry import conventions as names
from runtime.telemetry.alike import Alike, batch_of
from runtime.telemetry.spans import Span

_MINUTE_S, _MINUTES = 60.0, 60
_STEP = math.log(1.05)
"""Times are counted by their logarithm, so that each is known to a twentieth."""
_MOST_UNPLACED = 10_000
_ERROR = 500
_BY = frozenset((names.METHOD, names.STATUS, names.OPERATION))
_MODELS = ("chat", "text_completion", "embeddings")
"""Operations whose tokens count: what they belong to, such as a response, has their sum."""


@dataclass(frozen=True)
class Summary:
    """p95_ms: within which 95 of 100 requests were answered; None where there was none. cost_usd: of models whose price
    is known.
    """

    requests: int
    errors: int
    p95_ms: float | None
    input_tokens: int
    output_tokens: int
    cost_usd: float


@dataclass
class _Minute:
    """number: since the clock began. times: how many requests took so long, by `_place`; unplaced: seconds of those
    that are not among these yet.
    """

    number: int
    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    times: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    unplaced: list[float] = field(default_factory=list)

    def place(self) -> None:
        """Put what has come into its times."""
        unplaced = self.unplaced
        unplaced.sort()
        before = 0
        while before < len(unplaced):
            place = _place(unplaced[before])
            until = bisect_right(unplaced, place, before, key=_place)
            self.times[place] += until - before
            before = until
        unplaced.clear()


class LastHour:
    """Implements `Exporter`. Times are those of `time.perf_counter()`, as spans have them."""

    def __init__(self) -> None:
        self._minutes: deque[_Minute] = deque(maxlen=_MINUTES)

    async def export(self, spans: Sequence[Span], offset_s: float) -> None:
        """Counts each in the minute in which it is told."""
        minute = self._at(time.perf_counter())
        for alike in batch_of(spans).alike(_BY):
            if alike.kind == "server" and names.METHOD in alike.said:
                _count_requests(minute, alike)
            elif alike.said.get(names.OPERATION) in _MODELS:
                minute.input_tokens += sum(alike.counts(names.INPUT_TOKENS))
                minute.output_tokens += sum(alike.counts(names.OUTPUT_TOKENS))
            minute.cost_usd += sum(alike.costs())

    async def close(self) -> None:
        """Nothing is held."""

    def summary(self) -> Summary:
        first = _number_of(time.perf_counter()) - _MINUTES
        minutes = [one for one in self._minutes if one.number > first]
        return Summary(
            requests=sum(one.requests for one in minutes),
            errors=sum(one.errors for one in minutes),
            p95_ms=_p95_ms(minutes),
            input_tokens=sum(one.input_tokens for one in minutes),
            output_tokens=sum(one.output_tokens for one in minutes),
            cost_usd=round(sum(one.cost_usd for one in minutes), 9),
        )

    def _at(self, now_s: float) -> _Minute:
        number = _number_of(now_s)
        if not self._minutes or self._minutes[-1].number != number:
            if self._minutes:
                self._minutes[-1].place()
            self._minutes.append(_Minute(number))
        return self._minutes[-1]


def _count_requests(minute: _Minute, alike: Alike) -> None:
    minute.requests += len(alike.spans)
    status = alike.said.get(names.STATUS)
    if alike.error or (isinstance(status, int) and status >= _ERROR):
        minute.errors += len(alike.spans)
    minute.unplaced += alike.seconds_sorted
    if len(minute.unplaced) > _MOST_UNPLACED:
        minute.place()


def _p95_ms(minutes: Iterable[_Minute]) -> float | None:
    times: defaultdict[int, int] = defaultdict(int)
    for minute in minutes:
        minute.place()
        for place, count in minute.times.items():
            times[place] += count
    left = math.ceil(0.95 * sum(times.values()))
    for place in sorted(times):
        left -= times[place]
        if left <= 0:
            return round(math.exp((place + 0.5) * _STEP) * 1000, 1)
    return None


def _place(seconds: float) -> int:
    return math.floor(math.log(max(seconds, 1e-6)) / _STEP)


def _number_of(now_s: float) -> int:
    return int(now_s // _MINUTE_S)
