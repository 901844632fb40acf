"""What uv draws on a terminal and writes there, read as steps with numbers; and what of it stays, as text.

Knows uv's bars and words, which are an interface of nobody's: what it does not recognise shows no number, and nothing
else depends on it. Starts nothing.

    ⠙ Preparing packages... (3/28)                    drawn again and again, without an end of line
    numpy   ------------------- 4.70 MiB/16.15 MiB    one such for each download
    ███░░░ [5/28] Installing wheels...
    Installed 28 packages in 153ms                    written once, with an end of line
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from llama_cli.terminal.progress import Display, Step, Unit
from runtime.redaction import redact_text

_STYLE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_CLEARED = re.compile(rb"\x1b\[2K")
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_DOWNLOAD = re.compile(r"([\w.\-\[\]]+) +-+ +([\d.]+) ([KMGT]?i?B)/([\d.]+) ([KMGT]?i?B)")
_PREPARED = re.compile(r"Preparing packages\.\.\.\s+\((\d+)/(\d+)\)")
_INSTALLED = re.compile(r"\[(\d+)/(\d+)\] (\S*)")
_IN_HAND = re.compile(r"^\W (\S+==\S+)")
_WORTH_SHOWING = ("Downloading", "Building", "Updating")
_MOST_KEPT = 1_000_000


class UvScreen:
    """The screen of one run of uv. what: the step that it begins with, in words; sizes: bytes of what it is going to
    download, by package, where that is known. A context manager: its last step ends with it.
    """

    def __init__(self, shown: Display, what: str, sizes: Mapping[str, int] | None = None) -> None:
        self._shown = shown
        self._expected = sum((sizes or {}).values())
        self._downloads: dict[str, tuple[float, float]] = {}  # done and total, in bytes, by package
        self._steps = ExitStack()
        self._step = self._steps.enter_context(shown.step(what))
        self._written = b""
        self._drawn = b""  # since the last end of line, from the last picture that may not be whole
        self._has_drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._steps.close()

    def feed(self, data: bytes) -> None:
        """The next bytes that uv has written."""
        whole, end, self._drawn = (self._drawn + data).rpartition(b"\n")
        if end:
            lines = [_left_standing(line) for line in whole.split(b"\n")]
            self._written = (self._written + b"\n".join(lines) + end)[-_MOST_KEPT:]
            if not self._has_drawn and (last := _plain(lines[-1]).strip()).startswith(_WORTH_SHOWING):
                self._step.detail = redact_text(last)
        *before, unfinished = _CLEARED.split(self._drawn)
        picture = next((text for text in map(_plain, reversed(before)) if text.strip()), None)
        if picture is not None:
            self._has_drawn = True
            self._drawn = b"\x1b[2K" + unfinished
            self._read(picture)

    def text(self) -> str:
        """What uv wrote, without what it drew over, and without colours."""
        return _plain(self._written + _left_standing(self._drawn))

    def _read(self, picture: str) -> None:
        if found := _INSTALLED.search(picture):
            step = self._move("installing packages")
            step.done, step.total = float(found[1]), float(found[2])
            step.detail = found[3] if "==" in found[3] else ""
            return
        seen = {
            name: (_bytes(done, one), _bytes(total, other))
            for name, done, one, total, other in _DOWNLOAD.findall(picture)
        }
        ended = {name: (total, total) for name, (_, total) in self._downloads.items()}
        self._downloads = {**ended, **seen}
        prepared = _PREPARED.search(picture)
        if seen or (prepared and (self._expected or self._downloads)):
            step = self._move("downloading packages", "bytes")
            step.done = sum(done for done, _ in self._downloads.values())
            step.total = max(self._expected, sum(total for _, total in self._downloads.values()))
            step.detail = max(seen, key=lambda name: seen[name][1] - seen[name][0], default="")
        elif prepared and prepared[2] != "0":
            step = self._move("preparing packages")
            step.done, step.total = float(prepared[1]), float(prepared[2])
        elif in_hand := _IN_HAND.match(picture):
            self._step.detail = redact_text(in_hand[1])

    def _move(self, what: str, unit: Unit = "") -> Step:
        if self._step.what != what:
            self._steps.close()
            self._step = self._steps.enter_context(self._shown.step(what, unit=unit))
        return self._step


def _bytes(number: str, unit: str) -> float:
    return float(number) * _UNITS.get(unit, 1)


def _left_standing(line: bytes) -> bytes:
    """Of a line, what follows the last time that it was cleared or begun again."""
    return _CLEARED.split(line)[-1].rstrip(b"\r").rpartition(b"\r")[2]


def _plain(data: bytes) -> str:
    """Text without colours and cursor movements."""
    return _STYLE.sub(b"", data).decode(errors="replace")
