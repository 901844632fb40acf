"""Which shapes of spans are written, so that a row need only name them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from runtime.providers.telemetry.builtin.texts import masked, text_of
from runtime.sse import decode
from runtime.telemetry.spans import Kind, Shape

MOST = 2000
"""Shapes of a period. Callers make them, by what they ask for."""
DAY_S, _HOUR_S = 86_400.0, 3600.0
_BITS = 53
"""Of an id: no two shapes of a file have the same one, whichever process has written them, and any JSON can hold it."""


class Shapes(dict[Shape, int]):
    """The id of each shape, to be asked for by `get`, and then by `add`; 0 for one that gets none, whose spans are
    written whole. Every day all of them get new ids, so that the old ones can be removed with the traces of their day.

    now: seconds since 1970. without_secrets: what makes a text one that may be kept.
    """

    def __init__(self, now: Callable[[], float], without_secrets: Callable[[str], str] = str) -> None:
        super().__init__()
        self._now = now
        self._without_secrets = without_secrets
        self._by_text: dict[str, int] = {}
        self._began = now()
        self.unwritten: list[dict[str, Any]] = []

    def add(self, shape: Shape, kind: Kind) -> int:
        """Of one that has no id yet. kind: of its spans."""
        if shape in self:
            return 0
        if len(self) >= MOST:
            self.clear()  # those that say the same again keep their id
        said = {"name": shape.name, "kind": kind, "attributes": {**shape.attributes}}
        text = masked(text_of(said), self._without_secrets)
        id = self._by_text.get(text)
        if id is None:
            id = 0
            if len(self._by_text) < MOST:
                id = self._by_text[text] = 1 + secrets.randbelow(2**_BITS - 1)
                self.unwritten.append({"id": id, **decode(text.encode())})
        self[shape] = id
        return id

    def renew(self) -> None:
        """Forget those that are a day old, or an hour where there were too many. To be called before others are asked
        for; while the disk takes none, they stay.
        """
        age_s = self._now() - self._began
        is_due = not 0 <= age_s < DAY_S or (age_s > _HOUR_S and len(self._by_text) >= MOST)
        if is_due and not self.unwritten:
            self.forget()

    def forget(self) -> None:
        """All get new ids, and are written again. What waits to be written may be named by rows already."""
        self.clear()
        self._by_text.clear()
        self._began = self._now()

    def taken(self) -> list[dict[str, Any]]:
        """The rows that are to be written now, before any that name them."""
        taken, self.unwritten = self.unwritten, []
        now = self._now()
        return [{**row, "began": now} for row in taken]
