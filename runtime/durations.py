"""How durations are written, on a command line and in a run config. Imports nothing else of ours."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 100
_SHOWN = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def parse_duration(text: str) -> float:
    """`90s`, `1h30m`, `7d` or a bare number of seconds -> seconds. Raises ValueError for anything else."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    # Longer ones are not searched: it takes time by the square of the length.
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text) if len(text) <= _LONGEST else []
    if not parts or "".join(count + unit for count, unit in parts) != text:
        raise ValueError(f"`{text[:_LONGEST]}` is not a duration; write it as in `90s`, `10m`, `1h30m` or `7d`")
    return sum(float(count) * _SECONDS[unit] for count, unit in parts)


def parse_age(text: str) -> float:
    """The same for how old something is that is deleted. Raises ValueError for a bare number too: it may mean days."""
    seconds = parse_duration(text)
    if text[-1].isdigit():
        raise ValueError(f"`{text}` has no unit; write `{text}d` for days, `{text}s` for seconds")
    return seconds


def duration(seconds: float) -> str:
    """`75` -> `1m15s`, `0.3` -> `300ms`: two units at most, none of them zero."""
    if 0.001 <= seconds < 1:
        return f"{int(round(seconds * 1000, 3))}ms"
    whole = max(0, int(seconds))
    parts = []
    for unit, size in _SHOWN:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
