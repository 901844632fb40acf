"""All that is said of a run, whatever it is written as: figures, gates, the worst rows, the run beside a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_cli.evaluating.comparing import Comparison
from llama_cli.evaluating.figures import Figure, figures, worst
from llama_cli.evaluating.gates import Gate, gates
from llama_cli.evaluating.run import Row, Run
from llama_cli.terminal import words

_MOST_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class Report:
    """by: the column with categories. comparison: with the baseline; None where there is none."""

    run: Run
    by: str
    figures: Sequence[Figure]
    gates: Sequence[Gate]
    worst: Sequence[Row]
    comparison: Comparison | None

    @classmethod
    def of(
        cls,
        run: Run,
        *,
        by: str,
        worst_rows: int,
        thresholds: Mapping[str, float],
        comparison: Comparison | None,
        strict: bool,
    ) -> Report:
        """worst_rows: how many at most; thresholds, strict: as for `gates`."""
        found = figures(run, by=by)
        return cls(
            run=run,
            by=by,
            figures=found,
            gates=gates(run, found, thresholds, comparison, strict=strict),
            worst=worst(run, worst_rows),
            comparison=comparison,
        )

    @property
    def passed(self) -> bool:
        return all(gate.passed for gate in self.gates)

    def document(self) -> dict[str, Any]:
        """As `--json` prints it; `run.saved` reads the run of it."""
        return {
            **self.run.document(),
            "passed": self.passed,
            "figures": [figure.document() for figure in self.figures],
            "gates": [gate.document() for gate in self.gates],
            "comparison": self.comparison.document() if self.comparison else None,
        }


def named(rows: Sequence[Row]) -> str:
    """The names of rows, as many as a message can hold."""
    return words.some([f"`{row.name}`" for row in rows], _MOST_NAMED)
