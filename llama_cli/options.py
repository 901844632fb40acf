"""The options that many commands share, with the same names everywhere, and the units that they accept.

Knows Typer and how durations and `K=V` pairs are written. Knows no command.
"""

from __future__ import annotations

import re
from typing import Annotated

import typer

from llama_cli import console

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """`90s`, `1h30m`, `7d` or a bare number of seconds -> seconds. Raises typer.BadParameter for anything else."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if not parts or "".join(count + unit for count, unit in parts) != text:
        raise typer.BadParameter(f"`{text}` is not a duration; write it as in `90s`, `10m`, `1h30m` or `7d`")
    return sum(float(count) * _UNITS[unit] for count, unit in parts)


Json = Annotated[
    bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.", callback=console.set_json)
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print results only; of a list, the names only.", callback=console.set_quiet),
]
Wide = Annotated[bool, typer.Option("--wide", help="Never cut a cell off to fit the terminal.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
EnvPairs = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="NAME[=VALUE]",
        help="Set a variable for the server only; NAME alone checks that it is passed on. Never written to disk.",
        rich_help_panel="Environment",
    ),
]
EnvFile = Annotated[
    str | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="Read variables for the server from a file; `-` is stdin.",
        rich_help_panel="Environment",
    ),
]
