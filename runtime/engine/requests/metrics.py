"""Figures of an engine as its callers see them: waits, gaps between tokens, tokens a second, lag of the event loop.

Counts what the event loop measures, and puts it beside what the engine's thread counts. For one event loop.
"""

from __future__ import annotations

from bisect import bisect_left

from runtime.engine.requests.messages import EngineStats
from runtime.engine.requests.rate import Rate

# From 0.1 ms to 100 s, ten to a decade: a quantile is at most a quarter too high.
_BOUNDS_S = tuple(10 ** (step / 10 - 4) for step in range(61))


class Histogram:
    """Durations in seconds, counted by size: of constant memory however many there are."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_S) + 1)
        self.count = 0
        self.total_s = 0.0
        self.longest_s = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(_BOUNDS_S, seconds)] += 1
        self.count += 1
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)

    def quantile(self, share: float) -> float:
        """The least bound that `share` of the durations keep to, in seconds; 0 where there are none."""
        left = share * self.count
        for bound, count in zip(_BOUNDS_S, self._counts, strict=False):
            left -= count
            if left <= 0:
                return min(bound, self.longest_s)
        return self.longest_s


class Metrics:
    """first_token: from the call to the first token. between_tokens: from one token of a sequence to the next.
    loop_lag: how long a report of the engine's thread waits for the event loop.
    """

    def __init__(self) -> None:
        self.first_token = Histogram()
        self.between_tokens = Histogram()
        self.loop_lag = Histogram()
        self.generated = Rate()

    def figures(self, stats: EngineStats) -> dict[str, float]:
        """Everything by name, units in the names; counts since the start."""
        prompt_tokens = stats.prompt_tokens + stats.cached_tokens
        figures: dict[str, float] = {
            "running": stats.running,
            "waiting": stats.waiting,
            "kv_use": _share(stats.pages_used, stats.pages_total),
            "kv_kept": _share(stats.pages_kept, stats.pages_total),
            "prefix_hit_rate": _share(stats.cached_tokens, prompt_tokens),
            "prompt_tokens": prompt_tokens,
            "cached_tokens": stats.cached_tokens,
            "generated_tokens": stats.generated_tokens,
            "guessed_tokens": stats.guessed_tokens,
            "accepted_tokens": stats.accepted_tokens,
            "generated_tokens_per_second": self.generated.per_second(),
            "steps": stats.steps,
            "preemptions": stats.preemptions,
            "out_of_memory": stats.out_of_memory,
            "eager_steps": stats.eager_steps,
            "graph_replays": stats.graph_replays,
            "graph_captures": stats.graph_captures,
        }
        for name, histogram in (
            ("time_to_first_token", self.first_token),
            ("inter_token_latency", self.between_tokens),
            ("event_loop_lag", self.loop_lag),
        ):
            figures[f"{name}_p50_s"] = histogram.quantile(0.5)
            figures[f"{name}_p95_s"] = histogram.quantile(0.95)
            figures[f"{name}_max_s"] = histogram.longest_s
        return {name: round(figure, 6) for name, figure in figures.items()}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
