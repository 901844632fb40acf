"""How `scripts/bench/moderation` counts."""

from __future__ import annotations

from scripts.bench.moderation.__main__ import _figures
from scripts.bench.moderation.labelled import Labelled


def test_what_is_found_missed_and_flagged_without_reason_is_counted() -> None:
    texts = [Labelled("", is_harmful) for is_harmful in (True, True, True, True, False, False, False, False, False)]
    flagged = [True, True, True, False, True, False, False, False, False]
    assert _figures(texts, flagged) == ["9", "4", "0.75", "0.75", "0.75", "0.20"]


def test_where_there_is_nothing_there_is_no_share() -> None:
    assert _figures([Labelled("", True)], [False]) == ["1", "1", "-", "0.00", "0.00", "-"]
    assert _figures([Labelled("", False)], [False]) == ["1", "0", "-", "-", "-", "0.00"]
