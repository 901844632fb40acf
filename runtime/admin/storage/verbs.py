"""`storage ACTION RUN_YAML --state DIR ...`: the actions, and what each is given."""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, BinaryIO

_ACTIONS = {
    "show": "what is kept",
    "query": "what one SELECT finds in analytics",
    "prune": "remove what is too old",
    "restore": "go back to a copy",
    "export": "everything into an archive",
    "import": "an archive into databases",
}


def add_to(verb: argparse.ArgumentParser) -> None:
    """Add what `storage` is given."""
    actions = verb.add_subparsers(dest="action", required=True)
    parsers = {name: actions.add_parser(name, help=what) for name, what in _ACTIONS.items()}
    for parser in parsers.values():
        parser.add_argument("run_yaml", type=Path)
        parser.add_argument("--state", type=Path, required=True)
    parsers["prune"].add_argument("--kind", action="append", required=True)
    parsers["prune"].add_argument("--older-than", type=float, required=True, help="seconds")
    parsers["query"].add_argument("--sql", required=True)
    parsers["query"].add_argument("--limit", type=int, required=True)
    parsers["restore"].add_argument("--copy", required=True)
    parsers["export"].add_argument("--fd", type=int, required=True, help="the descriptor that the archive goes to")
    parsers["export"].add_argument("--gzip", action="store_true")
    parsers["import"].add_argument("--merge", action="store_true")
    parsers["import"].add_argument("--skip", action="append", default=[])
    for name in ("prune", "restore", "import"):
        parsers[name].add_argument("--dry-run", action="store_true")


def done(options: argparse.Namespace, told: int) -> dict[str, Any]:
    """What the action answers. told: a descriptor for lines of JSON about how far it is. Raises StackError."""
    return asyncio.run(_action(options, told))


def _action(options: argparse.Namespace, told: int) -> Coroutine[Any, Any, dict[str, Any]]:
    def tell(what: str, count: int, total: int | None = None) -> None:
        line = json.dumps({"what": what, "done": count, "total": total}) + "\n"
        with open(told, "w", closefd=False) as stream:  # a descriptor
            stream.write(line)

    if options.action == "show":
        from runtime.admin.storage.show import show

        return show(options.run_yaml, options.state)
    if options.action == "query":
        from runtime.admin.storage.query import query

        return query(options.run_yaml, options.state, sql=options.sql, limit=options.limit)
    if options.action == "export":
        from runtime.admin.storage.export import export

        return export(options.run_yaml, options.state, stream=_archive(options), tell=tell)
    if options.action == "import":
        from runtime.admin.storage.importing import import_archive

        return import_archive(
            options.run_yaml,
            options.state,
            stream=sys.stdin.buffer,
            merge=options.merge,
            skipped=options.skip,
            is_trial=options.dry_run,
            tell=tell,
        )
    if options.action == "restore":
        from runtime.admin.storage.restore import restore

        return restore(options.run_yaml, options.state, name=options.copy, is_trial=options.dry_run)
    from runtime.admin.storage.prune import prune

    return prune(
        options.run_yaml,
        options.state,
        kinds=options.kind,
        older_than_s=options.older_than,
        is_trial=options.dry_run,
        tell=tell,
    )


def _archive(options: argparse.Namespace) -> BinaryIO:
    stream = os.fdopen(options.fd, "wb")
    if not options.gzip:
        return stream
    return gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1)  # type: ignore[return-value]  # takes bytes
