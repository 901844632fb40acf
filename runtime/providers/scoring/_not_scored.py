"""A row without a score, which is an error of that row."""

from __future__ import annotations

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.protocol import ERROR, SCORE

FEEDBACK = "judge_feedback"
"""What a row's result tells of what the judge has said."""


class NotScored(Exception):
    """A row has no score. why: for whoever reads the result. said: what the judge said, as far as it said anything."""

    def __init__(self, why: str, *, said: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.said = said

    def result(self) -> Row:
        """The row's result."""
        return {SCORE: None, ERROR: self.why} | ({FEEDBACK: self.said} if self.said else {})
