"""`recordings verify|refresh RUN_YAML --folder DIR`: what it is given, and what it tells. The recordings are named on
standard input: a JSON list of files below the folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any


def add_to(verb: argparse.ArgumentParser) -> None:
    """Add what `recordings` is given."""
    actions = verb.add_subparsers(dest="action", required=True)
    for name, what in {"verify": "say what has changed", "refresh": "and record it anew"}.items():
        parser = actions.add_parser(name, help=what)
        parser.add_argument("run_yaml", type=Path)
        parser.add_argument("--folder", type=Path, required=True, help="of the recordings")
        parser.add_argument("--alike", type=float, required=True, help="how alike two texts are that say the same")
        parser.add_argument("--redact", action="append", default=[], help="a pattern of what is not to be recorded")
        parser.add_argument("--dry-run", action="store_true")


def done(options: argparse.Namespace, told: int) -> dict[str, Any]:
    """What the action answers. told: a descriptor for lines of JSON about how far it is. Raises StackError."""

    def tell(what: str, count: int, total: int) -> None:
        with open(told, "w", closefd=False) as stream:  # a descriptor
            stream.write(json.dumps({"what": what, "done": count, "total": total}) + "\n")

    from runtime.admin.recordings import Asking, ask_anew

    names: list[str] = json.load(sys.stdin)
    asking = Asking(
        folder=options.folder,
        alike=options.alike,
        writes=options.action == "refresh" and not options.dry_run,
        hidden=tuple(options.redact),
    )
    # Not `asyncio.run`, which at its end waits for threads: one can be asking a name server that never answers.
    work = ask_anew(options.run_yaml, names, asking, tell)
    return {"rows": asyncio.new_event_loop().run_until_complete(work)}
