"""The only place that prints: data to standard output, everything else to standard error.

Knows terminals, pipes, colour, tables, JSON documents, hints and exit codes. Knows no command, and loads Rich only for
a table on a terminal.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal, TextIO

from runtime.errors import (
    AccessDenied,
    AuthenticationError,
    ConfigInvalid,
    Conflict,
    NotFound,
    RateLimited,
    StackError,
    Unavailable,
    UpstreamError,
)

_LEAST_WIDTH = 8

Color = Literal["auto", "always", "never"]
COLORS: tuple[Color, ...] = ("auto", "always", "never")


class ExitCode(IntEnum):
    """What a command's end means; the same in all of them. `meaning` is what `llama help exit-codes` prints."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    ACCESS = 4
    CONFLICT = 5
    NETWORK = 6
    UNHEALTHY = 7
    TIMEOUT = 8
    DIFFERENT = 9
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "wrong usage, an unknown name, or a prompt was needed without a terminal",
    ExitCode.CONFIG: "configuration invalid",
    ExitCode.ACCESS: "authentication or permission",
    ExitCode.CONFLICT: "conflict: a port, lock or name is taken",
    ExitCode.NETWORK: "network or upstream",
    ExitCode.UNHEALTHY: "the server did not become, or is not, healthy",
    ExitCode.TIMEOUT: "the given --timeout ran out",
    ExitCode.DIFFERENT: "differences found or threshold missed",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.TERMINATED: "terminated (SIGTERM)",
}

_CODES: tuple[tuple[type[StackError], ExitCode], ...] = (
    (ConfigInvalid, ExitCode.CONFIG),
    (AuthenticationError, ExitCode.ACCESS),
    (AccessDenied, ExitCode.ACCESS),
    (NotFound, ExitCode.USAGE),
    (Conflict, ExitCode.CONFLICT),
    (UpstreamError, ExitCode.NETWORK),
    (RateLimited, ExitCode.NETWORK),
    (Unavailable, ExitCode.UNHEALTHY),
)


class Failure(Exception):
    """A command ends here. message: what failed and why; hint: what to do; code: how the process exits; facts: more
    for `--json`.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: ExitCode | int = ExitCode.FAILED,
        facts: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = int(code)
        self.facts = dict(facts or {})

    @classmethod
    def from_error(cls, error: StackError) -> Failure:
        """The failure that one of the runtime's errors is on a command line."""
        code = next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)
        message, hint = error.message, error.hint
        facts: dict[str, object] = {}
        if isinstance(error, ConfigInvalid):
            facts["problems"] = [
                {
                    "file": problem.file,
                    "line": problem.line,
                    "path": problem.path,
                    "message": problem.message,
                    "hint": problem.hint,
                }
                for problem in error.problems
            ]
            if error.problems and all(problem.path.startswith("--") for problem in error.problems):
                # No file is wrong: the command line is, in one place or in several.
                code = ExitCode.USAGE
                message = "; ".join(f"`{problem.path}`: {problem.message}" for problem in error.problems)
                hint = "; ".join(problem.hint for problem in error.problems if problem.hint) or hint
        return cls(message, hint=hint, code=code, facts=facts)


@dataclass
class Settings:
    """How this process prints; `configure` sets it before anything is parsed, so that a usage error obeys it too."""

    color: Color = "auto"
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False


settings = Settings()


def configure(arguments: Sequence[str]) -> None:
    """Read the options that every command has from a command line that is not parsed yet, up to `--`."""
    given = list(arguments)
    if "--" in given:
        given = given[: given.index("--")]
    settings.json = "--json" in given
    settings.debug = "--debug" in given
    settings.verbose = "--verbose" in given
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


def set_json(value: bool) -> bool:
    """The callback of `--json`."""
    settings.json = settings.json or value
    return value


def set_quiet(value: bool) -> bool:
    """The callback of `-q`."""
    settings.quiet = settings.quiet or value
    return value


def is_terminal(stream: TextIO) -> bool:
    """Whether boxes and redrawing make sense there."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def has_color(stream: TextIO) -> bool:
    """`--color`, then `NO_COLOR`, `FORCE_COLOR` (https://no-color.org, https://force-color.org), then whether it is a
    terminal.
    """
    if settings.color != "auto":
        return settings.color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream)


def can_ask() -> bool:
    """Whether a person can answer a prompt: both ends are a terminal and this is no pipeline of a build server."""
    return sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")


_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def styled(text: str, *names: str, stream: TextIO | None = None) -> str:
    """`text` in bold, dim or a colour where the stream (standard error unless given) shows it; meaning never hangs on
    it.
    """
    if not has_color(stream or sys.stderr):
        return text
    return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"


def out(text: str, *, end: str = "\n") -> None:
    """Data: what someone would pipe on. Written at once, so that a reader downstream sees each line when it is due."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def say(text: str) -> None:
    """Progress and results in words; silent with `-q`."""
    if not settings.quiet:
        _aside(text)


def detail(text: str) -> None:
    """What only `--verbose` wants to know."""
    if settings.verbose or settings.debug:
        _aside(styled(text, "dim"))


def warn(text: str) -> None:
    _aside(f"{styled('warning', 'yellow', 'bold')}: {text}")


def hint(text: str) -> None:
    if not settings.quiet:
        _aside(f"{styled('hint', 'cyan', 'bold')}: {text}")


def document(value: object) -> None:
    """One JSON document."""
    out(json.dumps(value, indent=2, ensure_ascii=False))


def event(value: Mapping[str, object]) -> None:
    """One JSON object on a line of its own, for streams."""
    out(json.dumps(value, ensure_ascii=False))


def failure(error: Failure) -> None:
    """Print how a command failed: an `error` document on standard output with `--json`, words on standard error
    otherwise.
    """
    if settings.json:
        document({"error": {"code": error.code, "message": error.message, "hint": error.hint, **error.facts}})
        return
    _aside(f"{styled('error', 'red', 'bold')}: {error.message}")
    if error.hint:
        _aside(f"\n{styled('hint', 'cyan', 'bold')}: {error.hint}")


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table. key: of the row; header: on a terminal; show: how a value reads, where `str` will not do.

    On a terminal that is too narrow: gives_way: its cells are cut short; spare: then it is left out. Other columns are
    names, types and addresses, of which a part is of no use.
    """

    key: str
    header: str
    show: Callable[[Any], str] | None = None
    gives_way: bool = False
    spare: bool = False

    def cell(self, row: Mapping[str, object]) -> str:
        value = row.get(self.key)
        if value is None:
            return ""
        if self.show is not None:
            return self.show(value)
        if isinstance(value, (list, tuple)):
            return ", ".join(str(item) for item in value)
        return str(value)


def listing(
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[Column],
    *,
    name: str,
    wide: bool = False,
    empty: str = "nothing to show",
) -> None:
    """What every list prints: a JSON array with `--json`, the column `name` alone with `-q`, a table otherwise."""
    if settings.json:
        document([dict(row) for row in rows])
    elif settings.quiet:
        for row in rows:
            out(str(row[name]))
    elif rows:
        table(rows, columns, wide=wide)
    else:
        say(empty)


def table(rows: Sequence[Mapping[str, object]], columns: Sequence[Column], *, wide: bool = False) -> None:
    """A table on a terminal, without empty columns; in a pipe one row a line, its cells separated by tabs, no header,
    nothing cut off and nothing left out.
    """
    if not is_terminal(sys.stdout):
        for row in rows:
            out("\t".join(" ".join(column.cell(row).split()) for column in columns))
        return
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, color_system="auto" if has_color(sys.stdout) else None, highlight=False)
    shown = {column: [" ".join(column.cell(row).split()) for row in rows] for column in columns}
    shown = {column: cells for column, cells in shown.items() if any(cells)}
    widths = {column: max(map(cell_len, [column.header, *cells])) for column, cells in shown.items()}
    widths = widths if wide else _fitted(widths, console.width)
    console.width = max(console.width, _total(widths))
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for column, width in widths.items():
        grid.add_column(column.header, no_wrap=True, overflow="ellipsis", width=width)
    for values in zip(*(shown[column] for column in widths), strict=True):
        grid.add_row(*(Text(text) for text in values))
    console.print(grid)


def _fitted(widths: Mapping[Column, int], available: int) -> dict[Column, int]:
    """Widths that fit, as far as the columns allow it: the longest that gives way is cut first, then spare ones go."""
    fitted = dict(widths)
    while _total(fitted) > available:
        cut = max((column for column in fitted if column.gives_way), key=lambda column: fitted[column], default=None)
        spare = next((column for column in reversed(fitted) if column.spare), None)
        if cut is not None and fitted[cut] > _LEAST_WIDTH:
            fitted[cut] -= 1
        elif spare is not None:
            # What was cut may have some of its room back.
            fitted = {column: widths[column] for column in fitted if column is not spare}
        else:
            break
    return fitted


def _total(widths: Mapping[Column, int]) -> int:
    """A table's width: two blanks between columns, and one at either end."""
    return sum(widths.values()) + 2 * len(widths)


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
    """`131072` -> `131 kB`: decimal units, three digits."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.1f} {unit}" if value < 10 and unit != "B" else f"{value:.0f} {unit}"


def drop_output() -> None:
    """After the reader of a pipe has gone: nothing more is written, nor complained about when Python flushes at its
    end.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _aside(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
