"""A part of long work: how much of it is done, how fast it goes, and how that reads in one line.

    downloading packages ━━━━━━━━━╸────────── 340.2 of 780.1 MB, 12.3 MB/s, 35s left: torch

Knows nothing of terminals but their width.
"""

from __future__ import annotations

import time
import unicodedata
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from llama_cli.terminal import words
from runtime.stdio import one_line

Unit = Literal["bytes", ""]
"""What a step counts: bytes, or pieces that need no word."""

_RATE_OVER_S = 5.0
_RATE_AFTER_S = 0.5
_LONG_S = 2.0
"""From when on a step that counts nothing says how long it has been at work."""
_BAR, _LEAST_BAR, _LEAST_DETAIL = 20, 8, 12


@dataclass
class Step:
    """A part of the work. what: in words, as in `downloading packages`; done, total: how much of it, total None where
    nobody knows; detail: what is in hand just now; began: by the monotonic clock, which all processes share.
    """

    what: str
    total: float | None = None
    unit: Unit = ""
    done: float = 0.0
    detail: str = ""
    began: float = field(default_factory=time.monotonic)
    _seen: deque[tuple[float, float]] = field(default_factory=deque, repr=False, compare=False)

    def tell(self, detail: str) -> None:
        self.detail = detail

    def describe(self, columns: int | None = None) -> str:
        """The step in one line. columns: as many as there are; with them, first the words and amounts, then a picture
        of how far it is, then what is in hand, as far as there is place. Without them, everything but the picture.
        """
        words = [one_line(self.what)]
        amounts = ", ".join(self._amounts())
        left = 10_000 if columns is None else columns - width(words[0]) - (len(amounts) + 1 if amounts else 0)
        if self.total and columns is not None and left > _LEAST_BAR:
            bar = min(_BAR, left - 1)
            words.append(_bar(self.done / self.total, bar))
            left -= bar + 1
        text = " ".join([*words, amounts] if amounts else words)
        if self.detail and left >= _LEAST_DETAIL:
            text = f"{text}: {cut(one_line(self.detail), left - 2)}"
        return text if columns is None else cut(text, columns)

    def _amounts(self) -> list[str]:
        if not self.total and not self.done:
            waited_s = time.monotonic() - self.began
            return [words.duration(waited_s)] if waited_s >= _LONG_S else []
        amount = self._amount(self.done)
        if self.total:
            whole = self._amount(self.total)
            # One unit for both says all: `340.2 of 780.1 MB`.
            number, _, unit = amount.partition(" ")
            amount = f"{number if unit and whole.endswith(f' {unit}') else amount} of {whole}"
        found = [amount]
        rate = self._rate()
        if rate > 0:
            if self.unit == "bytes":
                found.append(f"{words.size(rate)}/s")
            left_s = (self.total - self.done) / rate if self.total else 0.0
            if left_s >= 1:
                found.append(f"{words.duration(left_s)} left")
        return found

    def _amount(self, count: float) -> str:
        return words.size(count) if self.unit == "bytes" else f"{count:.0f}"

    def _rate(self) -> float:
        """Over the last seconds, in units a second; 0 while there is nothing to tell it from."""
        now = time.monotonic()
        self._seen.append((now, self.done))
        while now - self._seen[0][0] > _RATE_OVER_S:
            self._seen.popleft()
        since, before = self._seen[0]
        return (self.done - before) / (now - since) if now - since > _RATE_AFTER_S else 0.0


def _bar(share: float, columns: int) -> str:
    full, half = divmod(round(max(0.0, min(1.0, share)) * columns * 2), 2)
    return "━" * full + "╸" * half + "─" * (columns - full - half)


def width(text: str) -> int:
    """How many columns of a terminal a line takes. Not by Rich, which a bare Python that sets us up does not have."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, columns: int) -> str:
    """As much of it as fits, an ellipsis in place of the rest."""
    if width(text) <= columns:
        return text
    kept, used = "", 0
    for character in text:
        used += _columns(character)
        if used >= columns:
            break
        kept += character
    return f"{kept.rstrip()}…"
