"""The only place that prints: data to standard output, everything else to standard error.

Knows terminals, pipes, colour, JSON documents, hints and exit codes. Knows no command.

Whatever it is given can come from a stranger, so nothing in a text steers a terminal: escape sequences are added here,
when it is written. Only what someone pipes on goes as it is: `out`.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Literal, Self, TextIO

from runtime.errors import ConfigInvalid, StackError
from runtime.stdio import json_text, one_line, printable, well_formed

Color = Literal["auto", "always", "never"]
COLORS: tuple[Color, ...] = ("auto", "always", "never")


class ExitCode(IntEnum):
    """What a command's end means; the same in all of them. `meaning` is what `llama help exit-codes` prints."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "done"
    FAILED = 1, "failed"
    USAGE = 2, "wrong usage, an unknown name, or a prompt was needed without a terminal"
    CONFIG = 3, "configuration invalid"
    ACCESS = 4, "authentication or permission"
    CONFLICT = 5, "conflict: a port, lock or name is taken"
    NETWORK = 6, "network or upstream"
    UNHEALTHY = 7, "the server did not become, or is not, healthy"
    TIMEOUT = 8, "the given --timeout ran out"
    DIFFERENT = 9, "differences found or threshold missed"
    INTERRUPTED = 130, "interrupted (Ctrl-C)"
    TERMINATED = 143, "terminated (SIGTERM)"


BY_STATUS = {
    **dict.fromkeys((401, 403), ExitCode.ACCESS),
    **dict.fromkeys((429, 502, 504), ExitCode.NETWORK),
    404: ExitCode.USAGE,
    409: ExitCode.CONFLICT,
    503: ExitCode.UNHEALTHY,
}
"""The exit code for the HTTP status of one of our errors, where that alone says it."""


class Failure(Exception):
    """A command ends here. message: what failed and why; hint: what to do; facts: more for `--json`; details: lines
    for `--verbose`.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: ExitCode | int = ExitCode.FAILED,
        facts: Mapping[str, object] | None = None,
        details: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = int(code)
        self.facts = dict(facts or {})
        self.details = details

    @classmethod
    def of_option(cls, option: str, message: str, *, hint: str | None = None) -> Failure:
        """The failure that a value is which an option cannot have."""
        return cls(f"`{option}`: {message}", hint=hint, code=ExitCode.USAGE)

    @classmethod
    def from_error(cls, error: StackError) -> Failure:
        """The failure that one of the runtime's errors is on a command line."""
        if not isinstance(error, ConfigInvalid):
            return cls(error.message, hint=error.hint, code=BY_STATUS.get(type(error).status, ExitCode.FAILED))
        of_options = error.of_options()
        message, hint = of_options or (error.message, error.hint)
        code = ExitCode.USAGE if of_options else ExitCode.CONFIG
        return cls(message, hint=hint, code=code, facts={"problems": [asdict(problem) for problem in error.problems]})


class OutputLost(Failure):
    """Data that was to go to standard output is lost: the disk is full, or the stream was closed from the start."""

    def __init__(self, error: OSError) -> None:
        why = "it is closed" if error.errno == errno.EBADF else error.strerror or str(error)
        super().__init__(f"cannot write to standard output: {why}")


@dataclass
class Settings:
    """How this process prints; `configure` sets it before anything is parsed, so that a usage error obeys it too."""

    color: Color = "auto"
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    no_input: bool = False


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
    settings.verbose = "--verbose" in given
    settings.no_input = "--no-input" in given
    settings.quiet = "--quiet" in given or "-q" in given
    settings.color = "auto"
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
    return _is_any_terminal(stream) and os.environ.get("TERM") != "dumb"


def _is_any_terminal(stream: TextIO | None) -> bool:
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


def can_ask(*, with_json: bool = False) -> bool:
    """Whether a person can answer a prompt: both ends are a terminal, and neither `--no-input` nor `CI` forbids it;
    nor `--json`, unless the prompt is what the command is for.
    """
    is_wanted = not (settings.no_input or (settings.json and not with_json) or os.environ.get("CI"))
    return is_wanted and _is_any_terminal(sys.stdin) and _is_any_terminal(sys.stderr)


def can_draw() -> bool:
    """Whether a line that is drawn again and again is of use on standard error."""
    return is_terminal(sys.stderr) and not (settings.quiet or settings.json or os.environ.get("CI"))


def ask(prompt: str) -> str:
    """A line that the user types. Raises EOFError at the end. The prompt never goes into a pipe."""
    if _is_any_terminal(sys.stdout):
        return input(prompt)
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return input()


def confirm(question: str, *, yes: bool) -> None:
    """Let a person agree to what cannot be taken back. yes: they have, with `--yes`.

    question: what will happen, and to how much, without a question mark. Raises Failure where they do not agree, and
    (USAGE) where nobody can be asked.
    """
    if yes:
        return
    if not can_ask():
        raise Failure(f"{question}: that needs a yes", hint="add `--yes`", code=ExitCode.USAGE)
    sys.stderr.write(printable(f"{question}? [y/N] "))
    sys.stderr.flush()
    try:
        answer = input()
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise Failure("nothing was changed")


_STYLES = {"heading": "1", "ready": "32;1", "error": "31;1", "warning": "33;1", "hint": "36;1", "detail": "2"}
"""The colour of a label, or of a text without one (ECMA-48, SGR); meaning never hangs on it."""


def out(text: str, *, end: str = "\n") -> None:
    """Data: what someone would pipe on, and then as it is. Written at once, so that a reader downstream sees each line
    when it is due. Raises OutputLost.
    """
    write((printable(text) if _is_any_terminal(sys.stdout) else well_formed(text)) + end)


def row(*cells: object) -> None:
    """Data for a program that reads line by line: one line, its cells separated by tabs, whatever is in them."""
    write("\t".join(one_line(" ".join(str(cell).split())) for cell in cells) + "\n")


def say(text: str, *, label: str | None = None) -> None:
    """Progress and results in words; silent with `-q`. label: a word before it, one of _STYLES."""
    if not settings.quiet:
        aside(text, label)


def next_step(command: str) -> None:
    """After a success: what to type next, in the form that works there."""
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


def duration(seconds: float) -> str:
    """`75` -> `1m15s`: two units at most, none of them zero."""
    whole = max(0, int(seconds))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def size(size_bytes: float) -> str:
    """`131072` -> `131.1 kB`."""
    amount = int(size_bytes)
    if amount < 1000:
        return f"{amount} bytes" if amount != 1 else "1 byte"
    exact = amount / 1000
    for unit in ("kB", "MB", "GB"):
        if exact < 1000:
            return f"{exact:.1f} {unit}"
        exact /= 1000
    return f"{exact:,.1f} TB"


def some(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`: as many of them as a message can hold; empty where there are none."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


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
        if _is_any_terminal(stream):
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


_CALLS_US = re.compile(r"((?:^|&& |\| |\$\()(?:\w+=\S* )*)llama(?= |$)")
"""Where a shell takes `llama` for a command: at the start, behind variables, after another command, in `$(...)`."""


def typed(command: str) -> str:
    """A command line of ours, as it works where it is read: where `llama` is not on PATH, with the way to it."""
    return _CALLS_US.sub(lambda found: f"{found[1]}{_program()}", command)


def as_typed(text: str) -> str:
    """The same for every command line of ours that stands between backticks in a text."""
    return re.sub(r"`([^`]*)`", lambda found: f"`{typed(found[1])}`", text)


@cache
def _program() -> str:
    """What to type to run this very `llama`."""
    ours = Path(sys.argv[0])
    if ours.name != "llama" or not ours.exists():  # a test, or `python -m`
        return "llama"
    on_path = shutil.which("llama")
    if on_path is not None and os.path.realpath(on_path) == os.path.realpath(ours):
        return "llama"
    absolute = ours.absolute()
    with suppress(ValueError, OSError):  # on another drive, or in a folder that is gone
        relative = os.path.relpath(absolute)
        if len(relative) < len(str(absolute)):
            return shlex.quote(relative if os.sep in relative else f".{os.sep}{relative}")
    return shlex.quote(str(absolute))


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
