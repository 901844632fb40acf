"""What a request for rows asks for, checked against the columns that there are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.apis.datasetio.protocol import IterRowsRequest
from runtime.errors import RequestError
from runtime.invalid.vocabulary import shortened
from runtime.providers.datasetio.localfs.filtering import Filter, filter_of, names_in

_SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Asked:
    """names: of the columns, in their order. start: how many rows are left out. limit: the most rows; None for all."""

    names: Sequence[str]
    start: int
    limit: int | None
    where: Filter | None


def asked_for(request: IterRowsRequest, names: Sequence[str]) -> Asked:
    """names: of the columns that there are. Raises RequestError for others, and for filters that are none."""
    wanted = names if request.columns is None else list(dict.fromkeys(request.columns))
    _check(wanted, names, "columns")
    where = None
    if request.filters:
        where = filter_of(request.filters)
        _check(sorted(names_in(where)), names, "filters")
    limit = None if request.limit in (None, -1) else request.limit
    return Asked(names=wanted, start=request.start_index or 0, limit=limit, where=where)


def _check(wanted: Sequence[str], names: Sequence[str], param: str) -> None:
    known = set(names)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        missing = ", ".join(f"`{shortened(name)}`" for name in unknown[:_SHOWN])
        there = ", ".join(f"`{shortened(name)}`" for name in names[:_SHOWN]) or "no columns"
        more = " and others" if len(names) > _SHOWN else ""
        raise RequestError(
            f"The dataset has no column {missing}", hint=f"it has {there}{more}", param=param, code="unknown_column"
        )
