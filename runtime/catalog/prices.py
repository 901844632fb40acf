"""What vendors' models cost: `prices.tsv`, made by `scripts/refresh_capabilities` and read when a price is first looked
up. What is not there has no price that is known; it is not free. Prices are those of text by the token that anybody
pays: they say nothing of a contract, of batches, of what is asked for in haste, and of tools that a vendor runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from runtime.apis._price import Price

_FILE = Path(__file__).parent / "prices.tsv"
_KINDS = ("input", "cached_input", "cache_write", "output", "reasoning")


class _Listed(NamedTuple):
    """source: the list that the rows are of, and its day. rows: by vendor and name in small letters, a row a tier."""

    source: str
    rows: Mapping[str, Mapping[str, list[list[str]]]]


@lru_cache(maxsize=4096)
def price_of(vendor: str, name: str) -> Price | None:
    """That of a model by the vendor's own name for it, in any case; None where none is known."""
    listed = _listed()
    rows = listed.rows.get(vendor, {}).get(name.lower())
    if not rows:
        return None
    (_, *cells), *above = rows
    tiers = tuple({"above": int(tokens), **_rates(rates)} for tokens, *rates in above)
    return Price.model_validate({**_rates(cells), "tiers": tiers, "source": listed.source})


def _rates(cells: list[str]) -> dict[str, Any]:
    return {kind: float(cell) for kind, cell in zip(_KINDS, cells, strict=True) if cell}


@cache
def _listed() -> _Listed:
    found: dict[str, dict[str, list[list[str]]]] = defaultdict(lambda: defaultdict(list))
    head, _, *rows = _FILE.read_text(encoding="utf-8").splitlines()
    for row in rows:
        vendor, name, *cells = row.split("\t")
        found[vendor][name.lower()].append(cells)
    return _Listed(head.removeprefix("# ").replace("read ", ""), found)
