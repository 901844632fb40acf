"""What the rows have found: figures of each subject, and ratios held against their budgets, as two tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scripts.bench import measure
from scripts.bench.engine.budgets import Budget
from scripts.bench.engine.subjects import Absent

Found = Mapping[str, Sequence[float] | Absent]
"""By subject: a figure of each round, or why there is none."""


class Report:
    def __init__(self) -> None:
        self._figures: list[tuple[str, str, str]] = []
        self._budgets: list[tuple[str, str, str, str, str]] = []

    def figures(self, what: str, found: Found, digits: int = 1) -> None:
        """Lines of the first table. what: with its unit."""
        for name, values in found.items():
            shown = values.reason if isinstance(values, Absent) else measure.spread(values, digits)
            self._figures.append((what, name, shown))

    def ratio(self, budget: Budget, ours: Sequence[float] | Absent, theirs: Sequence[float] | Absent) -> None:
        """A line of the second table: the one over the other, round by round."""
        for values in (ours, theirs):
            if isinstance(values, Absent):
                self._budgets.append((budget.what, values.reason, *budget.limits(), ""))
                return
        assert not isinstance(ours, Absent) and not isinstance(theirs, Absent)
        self.ratios(budget, measure.ratios(ours, theirs))

    def ratios(self, budget: Budget, ratios: Sequence[float]) -> None:
        """A line of the second table."""
        self._budgets.append((budget.what, measure.spread(ratios), *budget.limits(), budget.verdict(ratios)))

    def __str__(self) -> str:
        figures = measure.table(("what", "subject", "figure"), self._figures)
        budgets = measure.table(("ratio", "measured", "must", "goal", "holds"), self._budgets)
        return f"{figures}\n\n{budgets}" if self._budgets else figures
