"""How an answer is shown while it comes: its text, a model's thoughts, and that something goes on.

Knows terminals and pipes. What is asked, and of whom, is no matter of this.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from threading import Thread
from types import TracebackType
from typing import Protocol, Self

from llama_cli.conversation.answers import Answer, ToolCall
from llama_cli.terminal import console
from llama_cli.terminal.progress import working
from llama_cli.terminal.step import cut
from runtime.stdio import one_line


class Writer(Protocol):
    """Where the text of an answer goes."""

    def write(self, text: str) -> None: ...

    def pause(self) -> None:
        """End a line that is begun: something else comes on the terminal before the rest."""
        ...

    def close(self, *, is_whole: bool) -> None:
        """Write what is held back, and end the last line. is_whole: nothing of the answer is missing."""
        ...


class Raw:
    """As the model wrote it; on a terminal, a CR before a line feed is no character to show."""

    def __init__(self) -> None:
        self._wrote = False
        self._ends = io.IncrementalNewlineDecoder(None, translate=True) if sys.stdout.isatty() else None

    def write(self, text: str) -> None:
        self._wrote = True  # first: Ctrl-C can come right after it
        console.out(self._ends.decode(text) if self._ends else text, end="")

    def pause(self) -> None:
        if self._wrote:
            console.out("")
            self._wrote = False

    def close(self, *, is_whole: bool) -> None:
        # In a pipe half an answer stays as it is; on a terminal what comes next begins a line.
        if is_whole or (self._wrote and sys.stdout.isatty()):
            console.out("")


class _Markdown:
    """Markdown, drawn. What draws it is imported while the answer is waited for."""

    def __init__(self) -> None:
        self._to: Writer | None = None
        Thread(target=import_module, args=("llama_cli.conversation.markdown",)).start()

    def write(self, text: str) -> None:
        if self._to is None:
            from llama_cli.conversation.markdown import Markdown

            self._to = Markdown()
        self._to.write(text)

    def pause(self) -> None:
        if self._to is not None:
            self._to.pause()

    def close(self, *, is_whole: bool) -> None:
        if self._to is not None:
            self._to.close(is_whole=is_whole)


def writer(*, raw: bool) -> Writer:
    """Markdown on a terminal that has colours, since it needs bold and dim; otherwise, and where wanted, raw."""
    return Raw() if raw or not (console.is_terminal(sys.stdout) and console.has_color(sys.stdout)) else _Markdown()


@contextmanager
def silent_keys() -> Iterator[None]:
    """What is typed meanwhile is read later, and not shown in the middle of what is written. Ctrl-C works as ever.

    Only while the terminal is ours: it stops a job in the background that changes it, and a job that was stopped finds
    it as its shell had it.
    """
    if os.name != "posix" or not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield
        return
    import signal
    import termios

    had_echo = False

    def echo(*, is_on: bool) -> None:
        nonlocal had_echo
        with suppress(OSError, termios.error):  # a terminal that is gone
            if os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp():
                modes = termios.tcgetattr(sys.stdin)
                had_echo = had_echo or bool(modes[3] & termios.ECHO)
                modes[3] = modes[3] | termios.ECHO if is_on and had_echo else modes[3] & ~termios.ECHO
                termios.tcsetattr(sys.stdin, termios.TCSANOW, modes)

    before = signal.signal(signal.SIGCONT, lambda *_: echo(is_on=False))
    echo(is_on=False)
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, before)
        echo(is_on=True)


class Shown:
    """Shows an answer for as long as the block runs. to: where its text goes, None where nothing of it is printed here.

    Until there is something to read, a line says that the model works, or the tool that it has called. Thoughts go to
    standard error, if they are wanted at all; so do calls of tools where that is a terminal.
    """

    def __init__(self, model: str, to: Writer | None, *, show_reasoning: bool = False) -> None:
        self._model = model
        self._to = to
        self._show_reasoning = show_reasoning
        self._sign, self._until_end = ExitStack(), ExitStack()
        self._is_thinking = self._is_paused = False

    def __enter__(self) -> Self:
        self._until_end.enter_context(silent_keys())
        self._wait()
        return self

    def add(self, part: Answer) -> None:
        if part.reasoning:
            self._think(part.reasoning)
        if part.content and self._to is not None:
            text = part.content.lstrip("\n") if self._is_paused else part.content
            if text:
                self._sign.close()
                self._end_thoughts()
                self._is_paused = False
                self._to.write(text)
        if part.calling is not None:
            self._pause()
            self._wait(f"{part.calling.server}: {part.calling.name}")
        for call in part.calls:
            self._pause()
            self._tell(call)
            self._wait()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For as long as the block runs, the terminal is somebody else's."""
        self._pause()
        self._until_end.close()
        try:
            yield
        finally:
            self._until_end.enter_context(silent_keys())
        self._wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._until_end:
            self._sign.close()
            self._end_thoughts()
            if self._to is not None and not isinstance(error, BrokenPipeError):
                self._to.close(is_whole=error is None)

    def _wait(self, what: str | None = None) -> None:
        """what: for what; None for the model."""
        self._sign.close()
        self._step = self._sign.enter_context(working(what or f"waiting for {self._model}"))

    def _pause(self) -> None:
        """Leave the line to what is written to standard error, where both are one terminal."""
        self._sign.close()
        self._end_thoughts()
        if self._to is not None and sys.stdout.isatty() and not self._is_paused:
            self._is_paused = True
            self._to.pause()

    def _tell(self, call: ToolCall) -> None:
        came = f"failed: {call.error}" if call.error is not None else call.output or ""
        text = one_line(" ".join(f"{call.server}: {call.name} {call.arguments} -> {came}".split()))
        if console.is_any_terminal(sys.stderr) and not console.settings.verbose:
            console.dimly(cut(text, console.terminal_size(sys.stderr).columns - 1))
        else:
            console.detail(text)

    def _think(self, text: str) -> None:
        if self._show_reasoning:
            self._sign.close()
            console.dimly(text, end="")
        elif not self._is_thinking:
            self._step.what, self._step.began = "thinking", time.monotonic()
        self._is_thinking = True

    def _end_thoughts(self) -> None:
        if self._is_thinking and self._show_reasoning:
            console.dimly("\n")
        self._is_thinking = False
