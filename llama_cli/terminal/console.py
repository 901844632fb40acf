"""The only place that prints: data to standard output, everything else to standard error.

Knows terminals, pipes, colour, JSON documents and hints. Knows no command.

Whatever it is given can come from a stranger, so nothing in a text steers a terminal: escape sequences are added here,
when it is written. Only what someone pipes on goes as it is: `out`.
"""

from __future__ import annotations

import errno
import io
import os
import select
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Literal, TextIO

from llama_cli.exits import Failure, OutputLost
from llama_cli.terminal.typed import as_typed, typed
from runtime.stdio import json_text, one_line, printable, well_formed

Color = Literal["auto", "always", "never"]
COLORS: tuple[Color, ...] = ("auto", "always", "never")


@dataclass
class Settings:
    """How this process prints; `configure` sets it before anything is parsed, so that a usage error obeys it too."""

    color: Color = "auto"
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    no_input: bool = False
    warned: set[str] = field(default_factory=set)


settings = Settings()

undrawn: Callable[[], AbstractContextManager[object]] = nullcontext
"""Around whatever is written: `progress`, while it draws, takes its line off the screen for that long."""

elsewhere: Callable[[str, str | None, str | None, str], None] | None = None
"""In a process that another of ours shows: takes what `aside` would write there, to give it to that one's."""


def configure(arguments: Sequence[str]) -> None:
    """Read the options that every command has from a command line that is not parsed yet, up to `--`."""
    given = list(arguments)
    if "--" in given:
        given = given[: given.index("--")]
    settings.json = "--json" in given
    settings.debug = "--debug" in given
    settings.verbose = "--verbose" in given or "-v" in given
    settings.no_input = "--no-input" in given
    settings.quiet = "--quiet" in given or "-q" in given
    settings.color = "auto"
    settings.warned = set()
    for position, argument in enumerate(given):
        name, _, inline = argument.partition("=")
        if name == "--color":
            wanted = inline or "".join(given[position + 1 : position + 2])
            settings.color = next((color for color in COLORS if color == wanted), "auto")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(encoding="utf-8", errors="replace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        # Any bytes are read; code that needs text looks at what could not be decoded.
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")


def set_quiet(value: bool) -> bool:
    """The callback of `-q`, which a command also has where it stands before the command's name."""
    settings.quiet = settings.quiet or value
    return settings.quiet


def set_json(value: bool) -> bool:
    """The callback of `--json`, likewise."""
    settings.json = settings.json or value
    return settings.json


def is_terminal(stream: TextIO | None) -> bool:
    """Whether boxes and redrawing make sense there."""
    return is_any_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_any_terminal(stream: TextIO | None) -> bool:
    """Whether it is a terminal of any kind, and so acts on control characters."""
    return stream is not None and not stream.closed and stream.isatty()


def has_color(stream: TextIO | None) -> bool:
    """`--color`, then `NO_COLOR` and `FORCE_COLOR` (https://no-color.org), then whether it is a terminal."""
    if settings.color != "auto":
        return settings.color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream)


def terminal_size(stream: TextIO) -> os.terminal_size:
    """Columns and lines of the terminal that a stream goes to; `COLUMNS` and `LINES` come first, 80 and 24 last."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # no terminal, or closed
        size = os.terminal_size((0, 0))
    return shutil.get_terminal_size((size.columns or 80, size.lines or 24))


def can_draw() -> bool:
    """Whether a line that is drawn again and again is of use on standard error."""
    return is_terminal(sys.stderr) and not (settings.quiet or settings.json or os.environ.get("CI"))


def is_read() -> bool:
    """Whether somebody can still read standard output: not once the reader of a pipe has gone. A command that waits for
    something to print would not notice otherwise.
    """
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # it is no file, or closed
        return True
    watched = select.poll()
    watched.register(descriptor, 0)  # errors and hang-ups are told in any case
    return not watched.poll(0)


_STYLES = {"heading": "1", "ready": "32;1", "error": "31;1", "warning": "33;1", "hint": "36;1", "detail": "2"}
"""The colour of a label, or of a text without one (ECMA-48, SGR); meaning never hangs on it."""


def out(text: str, *, end: str = "\n") -> None:
    """Data: what someone would pipe on, and then as it is. Written at once, so that a reader downstream sees each line
    when it is due. Raises OutputLost.
    """
    write((printable(text) if is_any_terminal(sys.stdout) else well_formed(text)) + end)


def title(text: str) -> None:
    """The same for what stands above data, on one line, which stands out where there is colour."""
    write(heading(" ".join(text.split())) + "\n")


def row(*cells: object) -> None:
    """Data for a program that reads line by line: one line, its cells separated by tabs, whatever is in them."""
    write("\t".join(one_line(" ".join(str(cell).split())) for cell in cells) + "\n")


def say(text: str, *, label: str | None = None) -> None:
    """Progress and results in words; silent with `-q`. label: a word before it, one of _STYLES."""
    if not settings.quiet:
        aside(text, label)


def next_step(command: str) -> None:
    """After a success: what to type next, in the form that works there. For a person only: a script, which reads either
    stream, has decided already.
    """
    if is_any_terminal(sys.stdout) and is_any_terminal(sys.stderr):
        say(f"next: {typed(command)}")


def tell(text: str) -> None:
    """What a person has asked for at a prompt, also with `-q`."""
    aside(text)


def dimly(text: str, *, end: str = "\n") -> None:
    """What goes beside the data, piece by piece as it comes, such as a model's thoughts."""
    if not settings.quiet:
        aside(text, style="detail", end=end)


def detail(text: str) -> None:
    """What only `--verbose` wants to know."""
    if settings.verbose or settings.debug:
        aside(text, style="detail")


def warn(text: str) -> None:
    aside(text, "warning")


def warn_once(text: str) -> None:
    """Of what may be said again each time that something is asked."""
    if text not in settings.warned:
        settings.warned.add(text)
        warn(text)


def hint(text: str) -> None:
    say(text, label="hint")


def document(value: object) -> None:
    """One JSON document."""
    write(json_text(value, indent=2) + "\n")


def event(value: Mapping[str, object]) -> None:
    """One JSON object on a line of its own, for streams."""
    write(json_text(value) + "\n")


def failure(error: Failure) -> None:
    """Print how a command failed: an `error` document on standard output with `--json`, words on standard error
    otherwise, and where there is no such output.
    """
    for line in error.details.splitlines():
        detail(line)
    if settings.json:
        with suppress(OutputLost):
            # On one line: whoever reads a stream of objects meets it there as one more.
            hint = as_typed(error.hint) if error.hint else None
            event({"error": {"code": error.code, "message": as_typed(error.message), "hint": hint, **error.facts}})
            return
    aside(error.message, "error")
    if error.hint:
        aside("")
        aside(error.hint, "hint")


def let_go() -> None:
    """At a command's end: what a stream did not take, since its reader is gone or the disk is full, is dropped, so that
    Python does not complain when it flushes at its own end.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def write(text: str) -> None:
    """To standard output, as it is: nothing in it steers a terminal but styles of ours. Raises OutputLost;
    BrokenPipeError where a reader has had enough, which is no failure.
    """
    with _to_standard_output() as stream:
        stream.write(text)


def write_bytes(data: bytes) -> None:
    """The same for what need not be text; a terminal gets what is harmless. Raises OutputLost, BrokenPipeError."""
    with _to_standard_output() as stream:
        if is_any_terminal(stream):
            stream.write(printable(data.decode(errors="surrogateescape")))
        else:
            stream.buffer.write(data)


@contextmanager
def _to_standard_output() -> Iterator[TextIO]:
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        with undrawn():
            yield sys.stdout
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error) from error


def aside(text: str, label: str | None = None, style: str | None = None, end: str = "\n") -> None:
    """To standard error, where there is one: a command does its work also where nobody can read about it. label: a
    word before it, style: of the text, both of _STYLES.
    """
    if elsewhere is not None:
        elsewhere(text, label, style, end)
        return
    text = text if style else as_typed(text)
    parts = [_dressed(label, label), ": "] if label else []
    with suppress(OSError):
        if sys.stderr is not None:
            with undrawn():
                sys.stderr.write("".join([*parts, _dressed(text, style)]) + end)
                sys.stderr.flush()


def heading(text: str, style: str = "heading") -> str:
    """A heading for what `write` prints: it stands out where standard output has colour. style: one of _STYLES."""
    return _dressed(text, style, stream=sys.stdout)


def _dressed(text: str, style: str | None, *, stream: TextIO | None = None) -> str:
    """stream: where it will go, standard error unless given."""
    text = printable(text)
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and has_color(stream or sys.stderr) else text
