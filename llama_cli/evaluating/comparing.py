"""A run beside its baseline: how much better or worse each function sees it, and whether chance explains that.

Cases are the same that have the same place in one version of a dataset, and otherwise those that are equal; a case
counts where both runs have a number for it. The server's `compare` says the same of two runs that it has
(`runtime/apis/eval`); here each may come from a file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llama_cli.evaluating.run import Row, Run
from runtime.statistics.paired import Difference, matched, paired_difference

SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class Change:
    """How one function sees the run. better, worse: the cases that have more or less now, each as in the run and as in
    the baseline, those that changed most first.
    """

    function: str
    cases: int
    difference: Difference
    better: Sequence[tuple[Row, Row]]
    worse: Sequence[tuple[Row, Row]]

    @property
    def is_real(self) -> bool:
        """Whether chance does not explain it."""
        return self.difference.p_value < SIGNIFICANT

    @property
    def verdict(self) -> str:
        if not self.is_real:
            return "no real difference"
        return "better" if self.difference.difference > 0 else "worse"

    def document(self) -> dict[str, Any]:
        facts = asdict(self.difference)
        interval = [facts.pop("low"), facts.pop("high")]
        better, worse = ([row.name for row, _ in rows] for rows in (self.better, self.worse))
        return {
            "function": self.function,
            **facts,
            "confidence_interval": interval,
            "cases": self.cases,
            "is_significant": self.is_real,
            "better": better,
            "worse": worse,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """same_rows: whether both have one version of the dataset. changes: by the functions that give numbers in both."""

    run: Run
    baseline: Run
    same_rows: bool
    changes: Sequence[Change]

    def document(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "id": self.run.id,
            "baseline": self.baseline.id,
            "same_rows": self.same_rows,
            "functions": [change.document() for change in self.changes],
        }


def compare(run: Run, baseline: Run) -> Comparison:
    """Both with their rows."""
    places = [(one.job.get("dataset_id"), one.job.get("dataset_version")) for one in (run, baseline)]
    same_rows = places[0] == places[1] and places[0][1] is not None
    keys, before = ([_key(row, by_place=same_rows) for row in one.rows] for one in (run, baseline))
    pairs = [(run.rows[at], baseline.rows[there]) for at, there in matched(keys, before)]
    functions = [name for name in run.functions if name in baseline.functions]
    changes = [change for name in functions if (change := _change(name, pairs)) is not None]
    return Comparison(run=run, baseline=baseline, same_rows=same_rows, changes=changes)


def _key(row: Row, *, by_place: bool) -> Any:
    return row.index if by_place else json.dumps(row.given["row"], sort_keys=True, ensure_ascii=False)


def _change(function: str, pairs: Sequence[tuple[Row, Row]]) -> Change | None:
    scored = []
    for row, before in pairs:
        value, former = row.scores[function].value, before.scores[function].value
        if isinstance(value, float) and isinstance(former, float):
            scored.append((value - former, value, former, (row, before)))
    if not scored:
        return None
    by_change = sorted(scored, key=lambda one: one[0])
    return Change(
        function=function,
        cases=len(scored),
        difference=paired_difference([value for _, value, _, _ in scored], [former for _, _, former, _ in scored]),
        better=[pair for change, _, _, pair in reversed(by_change) if change > 0],
        worse=[pair for change, _, _, pair in by_change if change < 0],
    )
