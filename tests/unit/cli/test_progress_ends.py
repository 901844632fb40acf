"""A display always comes to its end, whenever that is asked for."""

from __future__ import annotations

from threading import Event

import pytest

from llama_cli.terminal import console, progress


class _AsIfLate(Event):
    """Says once that nothing has ended, though it has in the meantime."""

    def __init__(self, display: progress.Display) -> None:
        super().__init__()
        self._display = display
        self._is_first = True

    def wait(self, timeout: float | None = None) -> bool:
        if self._is_first:
            self._is_first = False
            self.set()
            self._display._busy.set()
            return False
        return super().wait(timeout)


def test_an_end_in_the_moment_in_which_there_is_nothing_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "can_draw", lambda: True)
    display = progress.Display()
    display._ended = _AsIfLate(display)
    display._busy.set()
    assert list(display._ticks(0.01, 0.01)) == []
