"""Why a write was not done although the database works. Callers that expect one catch it; else it is a 409."""

from __future__ import annotations

from runtime.errors import Conflict


class Duplicate(Conflict):
    """A row with the same key, or with the same value of a unique index, is there already."""

    code = "already_exists"


class Stale(Conflict):
    """Another number of rows than expected was there to change, or what a new row is part of is not there any more:
    somebody else was faster.
    """

    code = "changed_meanwhile"
