"""How amounts of money are written, most of which are parts of a cent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from runtime.telemetry import conventions as names

_DIGITS = 3
_LEAST = 1e-9


def usd(amount: float) -> str:
    """`0.00123` -> `$0.00123`, `0.5` -> `$0.50`, `1234.5` -> `$1,234.50`: cents, and below a dollar three digits."""
    if amount >= 1 or amount <= 0:
        return f"${amount:,.2f}"
    if amount < _LEAST:
        return f"less than ${_LEAST:.9f}"
    decimals = max(2, _DIGITS - 1 - math.floor(math.log10(amount)))
    whole, _, parts = f"{amount:.{decimals}f}".partition(".")
    return f"${whole}.{parts.rstrip('0').ljust(2, '0')}"


def cost_of(spans: Iterable[Mapping[str, Any]]) -> float | None:
    """What some spans cost together, in USD; None where no price is known of any."""
    stated = [span["attributes"].get(names.COST_USD) for span in spans]
    known = [amount for amount in stated if isinstance(amount, int | float)]
    return round(math.fsum(known), 12) if known else None
