"""A response that nobody makes any more: its process has ended (`storage/sql/holding.py`), so that it is read as
`incomplete`. Those in the background are jobs, which have leases of their own: they are held only before they have a
job, and while they end.
"""

from __future__ import annotations

from runtime.providers.responses.builtin.answering import RUNS, interrupted
from runtime.sse import decode, encode
from runtime.storage.sql import Row

READ = ("id", "position", "status", "previous", "conversation", "place", "held_until", "input", "response")
"""What is read of a row to be shown or continued."""


def settled(row: Row, now: float) -> Row:
    """The row as it is now. row: with `READ`. now: seconds since 1970."""
    until = row["held_until"]
    if row["status"] not in RUNS or until is None or until >= now:
        return row
    response = interrupted(decode(row["response"]))
    return {**row, "status": response["status"], "response": encode(response)}
