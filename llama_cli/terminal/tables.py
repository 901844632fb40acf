"""Lists, as a table on a terminal and as lines, names or JSON elsewhere. Loads Rich only for a table on a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_cli.terminal import console
from runtime.stdio import one_line

_LEAST_WIDTH = 20


@dataclass(frozen=True)
class Column:
    """A column of a table. key: of the row; header: on a terminal; show: how a value reads, where `str` will not do.

    groups: on a terminal, rows that follow each other with the same value stand under it, instead of repeating it.
    On a terminal that is too narrow: spare: it is left out, a higher one first; gives_way: its cells are narrower, on
    several lines, or cut short if it is spare; readable: a width of these which matters more than spare columns, and
    their least where it is less than the usual one. Other columns are names, types and addresses, of which a part is of
    no use.
    """

    key: str
    header: str
    show: Callable[[Any], str] | None = None
    groups: bool = False
    gives_way: bool = False
    spare: int = 0
    readable: int = _LEAST_WIDTH

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
    name: str | Sequence[str],
    wide: bool = False,
    empty: str = "nothing to show",
) -> None:
    """What every list prints: a JSON array with `--json`; the column `name` alone with `-q`, or those that name a row
    together; a table on a terminal, without empty columns; in a pipe one row a line, its cells separated by tabs, no
    header, nothing cut off or left out. wide: the same on a terminal.
    """
    if console.settings.json:
        console.document([dict(row) for row in rows])
    elif console.settings.quiet:
        for row in rows:
            console.row(" ".join(str(row[each]) for each in ([name] if isinstance(name, str) else name)))
    elif not rows:
        console.say(empty)
    elif console.is_terminal(sys.stdout):
        console.write(table(rows, columns, wide=wide))
    else:
        for row in rows:
            console.row(*(column.cell(row) for column in columns))


def answer(columns: Sequence[str], rows: Sequence[Sequence[object]], *, has_more: bool, wide: bool) -> None:
    """What a query in SQL finds, as `listing` prints it: `-q` prints the first column alone. Columns can be called
    alike.
    """
    found = [{str(place): value for place, value in enumerate(row)} for row in rows]
    listing(
        found,
        [Column(str(place), header) for place, header in enumerate(columns)],
        name="0",
        wide=wide,
        empty="the query finds nothing",
    )
    if has_more:
        console.say(f"there are more than {len(rows)} rows")


def table(rows: Sequence[Mapping[str, object]], columns: Sequence[Column], *, wide: bool = False) -> str:
    """For a terminal. Of the spare columns there are those that fit, the less spare first, from the left; where it is
    still too wide, Rich narrows what gives way, the widest first. What stands under a value that groups is indented by
    two blanks.
    """
    import shutil

    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = {column: [one_line(" ".join(column.cell(each).split())) for each in rows] for column in columns}
    cells = {column: texts for column, texts in cells.items() if any(texts)}
    groups = next((cells.pop(column) for column in list(cells) if column.groups), [])
    if groups:
        first = next(iter(cells))
        cells[first] = [f"  {text}" for text in cells[first]]

    def width(column: Column, least: int = 0) -> int:
        whole = max(map(cell_len, [column.header, *cells[column]]))
        return min(whole, least or min(_LEAST_WIDTH, column.readable)) if column.gives_way and not wide else whole

    def needed() -> int:
        return sum(width(column) for column in cells) + 2 * len(cells)  # two blanks between, and one at either end

    def readable(columns: Sequence[Column]) -> int:
        return sum(width(column, column.readable) for column in columns) + 2 * len(columns)

    available = shutil.get_terminal_size((80, 24)).columns
    kept = [column for column in cells if wide or not column.spare]
    for column in sorted(cells, key=lambda column: column.spare):
        if column not in kept and readable([*kept, column]) <= available:
            kept.append(column)
    cells = {column: texts for column, texts in cells.items() if column in kept}
    colored = console.has_color(sys.stdout)
    # The width is ours: Rich believes a terminal that says it has none.
    screen = Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="auto" if colored else None,
        no_color=not colored,
        highlight=False,
        width=max(available, needed()),
    )
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for column in cells:
        grid.add_column(column.header, no_wrap=not column.gives_way, min_width=width(column))
    for place, values in enumerate(zip(*cells.values(), strict=True)):
        if groups and (place == 0 or groups[place] != groups[place - 1]):
            grid.add_row(Text(groups[place], style="bold"))
        grid.add_row(
            *(
                Text(text, overflow="fold")
                if column.gives_way and not column.spare
                else Text(text, no_wrap=True, overflow="ellipsis")
                for column, text in zip(cells, values, strict=True)
            )
        )
    with screen.capture() as captured:
        screen.print(grid)
    return captured.get()
