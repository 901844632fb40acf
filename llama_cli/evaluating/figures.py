"""What the rows of a run come to: means with intervals, over all of them and by category. Knows no terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from llama_cli.evaluating.run import Row, Run
from runtime.statistics.intervals import mean_interval

_LONGEST = 240


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What one function says of some rows. category: None for all of them. mean, low, high: of scores that are numbers,
    with 95 %; None where there are none. counts: how often each word came, of scores that are words.
    """

    function: str
    category: str | None
    rows: int
    errors: int
    mean: float | None
    low: float | None
    high: float | None
    counts: Mapping[str, int]

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def score(self) -> str:
        """The mean, or the counts."""
        if self.mean is not None:
            return number(self.mean)
        return ", ".join(f"{word}: {count}" for word, count in self.counts.items())

    @property
    def interval(self) -> str:
        return "" if self.low is None or self.high is None else f"{number(self.low)} to {number(self.high)}"


def figures(run: Run, *, by: str = "category") -> list[Figure]:
    """For each function all rows together, then each category; by: the column that says it."""
    categories: dict[str, list[Row]] = {}
    for row in run.rows:
        if (category := row.column(by)) is not None:
            categories.setdefault(category, []).append(row)
    parts: list[tuple[str | None, Sequence[Row]]] = [(None, run.rows)]
    parts += [(category, categories[category]) for category in sorted(categories)]
    return [_figure(name, category, rows) for name in run.functions for category, rows in parts]


def _figure(function: str, category: str | None, rows: Sequence[Row]) -> Figure:
    scores = [row.scores[function] for row in rows]
    numbers = [score.value for score in scores if isinstance(score.value, float)]
    said = Counter(score.value for score in scores if isinstance(score.value, str))
    low, high = mean_interval(numbers) if numbers else (None, None)
    return Figure(
        function=function,
        category=category,
        rows=len(rows),
        errors=sum(score.value is None for score in scores),
        mean=fmean(numbers) if numbers else None,
        low=low,
        high=high,
        counts=dict(said.most_common()),
    )


def number(value: float) -> str:
    """A score, a difference or a probability: with three digits behind the point."""
    return f"{value:.3f}"


def probability(value: float) -> str:
    """A p-value, behind the word `p`."""
    return "< 0.001" if value < 0.001 else f"= {number(value)}"


def signed(value: float) -> str:
    """A difference, with its sign."""
    return f"{value:+.3f}"


def worst(run: Run, most: int) -> list[Row]:
    """The rows with the least scores, the worst first: of all functions together, each by how far the score is from its
    least one to its best. Those that are as good as can be seen are not among them.
    """
    rows = [row for row in run.rows if not row.why_not]
    shares: dict[int, list[float]] = {row.index: [] for row in rows}
    for function in run.functions:
        values = {row.index: value for row in rows if isinstance(value := row.scores[function].value, float)}
        least, best = min(values.values(), default=0.0), max(values.values(), default=0.0)
        for index, value in values.items():
            shares[index].append((value - least) / (best - least) if best > least else 1.0)
    means = {index: fmean(found) for index, found in shares.items() if found}
    below = [row for row in rows if means.get(row.index, 1.0) < 1.0]
    return sorted(below, key=lambda row: means[row.index])[:most]


def scores_of(row: Row) -> str:
    """What each function says of it, in their order."""
    values = [score.value for score in row.scores.values()]
    return ", ".join(number(value) if isinstance(value, float) else str(value) for value in values)


def cut(text: str | None, longest: int = _LONGEST) -> str:
    """What fits where a text is only shown, on one line."""
    text = " ".join((text or "").split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
