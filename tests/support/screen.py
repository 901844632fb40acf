"""A person at a terminal: keys go in, and what a terminal emulator shows of the answer comes out.

A real pseudo-terminal with a width and a height, its program leading a session of its own, so that Ctrl-C, a resize and
a terminal that is closed mean what they mean for a user. Nothing here waits for time to pass: words on the screen are
waited for, up to a limit. Knows no command.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyte

CTRL_C, CTRL_D, ENTER, ESCAPE, UP = "\x03", "\x04", "\r", "\x1b", "\x1b[A"
SIZES = ((80, 24), (120, 40))
"""Columns and lines: the smallest terminal that is still usual, and a comfortable one."""
LIMIT_S = 60.0
_BRACKETED_PASTE = 2004 << 5  # as pyte keeps private modes
_SCROLLED_LINES = 10_000
_COLOR = re.compile(r"\x1b\[[0-9;]*m")


class Shown(NamedTuple):
    """What came to a terminal. text: without colours, its ends of lines as line feeds."""

    code: int
    text: str
    has_colors: bool


class Screen:
    """A program on a terminal; a context, at whose end it is gone. received: all that it wrote, as text.

    kept: a folder for what `shot` takes, as text.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        cwd: Path | None = None,
        columns: int = 80,
        lines: int = 24,
        stdin: int | None = None,
        kept: Path | None = None,
    ) -> None:
        self.received = ""
        self._kept = kept
        self._shots = 0
        self._emulator = _Emulator(columns, lines, self._send)
        self._stream = pyte.Stream(self._emulator)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._mark = -1
        self._primary, secondary = pty.openpty()
        self._set_size(columns, lines)
        self.process = subprocess.Popen(
            command, env={"TERM": "xterm-256color", **environment}, cwd=cwd,
            stdin=secondary if stdin is None else stdin, stdout=secondary, stderr=secondary,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(secondary)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            print(self.framed("when it failed"))
        os.close(self._primary)  # its program is told by SIGHUP, as by a window that is closed
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def lines(self) -> list[str]:
        """What is on the screen, with what has scrolled off it before, without blanks at the ends of lines."""
        return [*self._emulator.scrolled(), *self.visible]

    @property
    def visible(self) -> list[str]:
        """What is on the screen now: as many lines as it has."""
        return [line.rstrip() for line in self._emulator.display]

    @property
    def fresh(self) -> str:
        """What came since the last line that was entered."""
        return "\n".join(self.lines[max(0, self._mark) :]).rstrip()

    @property
    def at_cursor(self) -> str:
        """The line of the cursor, up to it."""
        return self._emulator.display[self._emulator.cursor.y][: self._emulator.cursor.x]

    @property
    def takes_pastes(self) -> bool:
        """Whether the program has asked to be told what is pasted and what is typed."""
        return _BRACKETED_PASTE in self._emulator.mode

    def cut(self) -> list[str]:
        """The lines that fill the screen to its edge: nearly always, the next one is their rest."""
        return [line for line in self.fresh.splitlines() if len(line) >= self._emulator.columns]

    def type(self, keys: str) -> None:
        self._send(keys)

    def enter(self, line: str) -> None:
        """Type a line and Enter. `fresh` and `wait_for` look at what follows."""
        self._mark = self._at
        self._send(line + ENTER)

    def paste(self, text: str) -> None:
        """As terminals do it: between two marks where the program has asked for them, and Enter for each line feed."""
        text = text.replace("\n", ENTER)
        self._send(f"\x1b[200~{text}\x1b[201~" if self.takes_pastes else text)

    def resize(self, columns: int, lines: int) -> None:
        self._emulator.resize(lines, columns)
        self._set_size(columns, lines)  # by which the program is told

    def wait_for(self, pattern: str, *, limit_s: float = LIMIT_S) -> re.Match[str]:
        """Until the pattern is found in `fresh`."""
        self._read_until(lambda: re.search(pattern, self.fresh, re.MULTILINE) is not None, f"`{pattern}`", limit_s)
        found = re.search(pattern, self.fresh, re.MULTILINE)
        assert found is not None
        return found

    def wait_for_line(self, pattern: str, *, limit_s: float = LIMIT_S) -> re.Match[str]:
        """Until what stands before the cursor is, as a whole, the pattern: a prompt below the line that was entered."""

        def prompt() -> re.Match[str] | None:
            return re.fullmatch(pattern, self.at_cursor) if self._at > self._mark else None

        self._read_until(lambda: prompt() is not None, f"line `{pattern}`", limit_s)
        found = prompt()
        assert found is not None
        return found

    def wait_until_it_ends(self, *, limit_s: float = LIMIT_S) -> int:
        """Its exit code, once it has ended and all that it wrote is read."""
        self._read_until(lambda: False, "its end", limit_s, until_end=True)
        return self.process.wait(limit_s)

    def shot(self, name: str) -> str:
        """What came since the last line that was entered, in a frame; also as a file, where screens are kept."""
        framed = self.framed(name)
        if self._kept is not None:
            self._shots += 1
            self._kept.mkdir(parents=True, exist_ok=True)
            (self._kept / f"{self._shots:02}-{name.replace(' ', '-')}.txt").write_text(framed + "\n", encoding="utf-8")
        return framed

    def framed(self, name: str) -> str:
        """The same in a frame of the screen's width; a second line across it where the screen itself begins."""
        columns, edge = self._emulator.columns, "-" * self._emulator.columns
        title = f"{name}: {columns} x {self._emulator.lines}, cursor in column {self._emulator.cursor.x + 1}"
        rows = [f"|{line:{columns}}|" for line in self.fresh.splitlines()]
        beyond = len(self._emulator.history.top) - max(0, self._mark)
        if beyond > 0:
            rows.insert(beyond, f"|{' the screen begins here ':-^{columns}}|")
        return "\n".join([title, f"+{edge}+", *rows, f"+{edge}+"])

    @property
    def _at(self) -> int:
        """The line of the cursor, counted from the first one ever."""
        return len(self._emulator.history.top) + self._emulator.cursor.y

    def _read_until(self, is_there: Any, what: str, limit_s: float, *, until_end: bool = False) -> None:
        end = time.monotonic() + limit_s
        while not is_there():
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{what} did not come in {limit_s:.0f} s\n{self.framed('instead')}")
            if not select.select([self._primary], [], [], left)[0]:
                continue
            try:
                data = os.read(self._primary, 65536)
            except OSError:  # Linux says so when the other end is closed
                data = b""
            if not data:
                if until_end:
                    return
                raise AssertionError(f"it ended, and {what} had not come\n{self.framed('instead')}")
            text = self._decoder.decode(data)
            self.received += text
            self._stream.feed(text)

    def _send(self, text: str) -> None:
        os.write(self._primary, text.encode())

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._primary, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


class _Emulator(pyte.HistoryScreen):
    """Keeps what has scrolled off, and answers what a program asks of its terminal."""

    def __init__(self, columns: int, lines: int, answer: Any) -> None:
        super().__init__(columns, lines, history=_SCROLLED_LINES, ratio=0.5)
        self._answer = answer

    def scrolled(self) -> list[str]:
        return ["".join(line[x].data for x in range(self.columns)).rstrip() for line in self.history.top]

    def write_process_input(self, data: str) -> None:
        self._answer(data)


def on_a_terminal(command: Sequence[str], environment: Mapping[str, str], *, columns: int = 80) -> Shown:
    """Run a command with a pseudo-terminal as its standard output and error, and nothing to read."""
    with Screen(command, environment, columns=columns, stdin=subprocess.DEVNULL) as screen:
        code = screen.wait_until_it_ends()
    text, colors = _COLOR.subn("", screen.received)
    return Shown(code, text.replace("\r\n", "\n"), colors > 0)
