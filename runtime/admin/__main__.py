"""The process: reads a verb, does it, prints its JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runtime import admin, own_process
from runtime.admin import recording_verbs as recordings
from runtime.admin.storage import verbs as storage
from runtime.errors import ConfigInvalid, StackError
from runtime.stdio import print_error


def main() -> int:
    """The exit code: 1 where something was found to fail, 3 for a run config that cannot be planned, or what else keeps
    a verb from being done.
    """
    own_process.take()
    parser = argparse.ArgumentParser(prog="python -m runtime.admin", description=admin.__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    asked = {
        "check": "import every adapter",
        "providers": "ask every remote provider",
        "specs": "what external packages bring",
    }
    for name, what in asked.items():
        verb = verbs.add_parser(name, help=what)
        verb.add_argument("run_yaml", type=Path)
        if name == "check":
            verb.add_argument("--for-replay", action="store_true", help="only those that a replay asks")
    storage.add_to(verbs.add_parser("storage", help="what a stack keeps"))
    recordings.add_to(verbs.add_parser("recordings", help="what providers answer now"))
    options = parser.parse_args()
    try:
        with _stdout_kept_clean() as stdout:
            answer = _done(options, stdout)
    except StackError as error:
        print_error(f"error: {error.message}")
        if options.verb in ("storage", "check", "recordings"):
            facts = {name: getattr(error, name) for name in ("message", "hint", "status", "code")}
            problems = [asdict(problem) for problem in error.problems] if isinstance(error, ConfigInvalid) else []
            json.dump({"error": facts | ({"problems": problems} if problems else {})}, sys.stdout)
        return 3
    json.dump(answer, sys.stdout)
    return 1 if answer.get("failures") else 0


def _done(options: argparse.Namespace, stdout: int) -> dict[str, Any]:
    """Each verb imports what it needs: a check has to work where a provider's packages are broken. stdout: for what is
    said before the answer, a line of JSON each.
    """
    if options.verb == "check":
        from runtime.admin.check import check_adapters

        return {"failures": check_adapters(options.run_yaml, for_replay=options.for_replay)}
    if options.verb == "specs":
        from runtime.admin.specs import external_specs

        return external_specs(options.run_yaml)
    if options.verb == "storage":
        return storage.done(options, stdout)
    if options.verb == "recordings":
        return recordings.done(options, stdout)
    from runtime.admin.providers import ask_providers

    # Not `asyncio.run`, which at its end waits for threads: one can be asking a name server that never answers.
    return {"providers": asyncio.new_event_loop().run_until_complete(ask_providers(options.run_yaml))}


@contextmanager
def _stdout_kept_clean() -> Iterator[int]:
    """Send what packages print during their import to stderr, since stdout is only for our JSON. Gives the descriptor
    of that.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield kept
    finally:
        os.dup2(kept, 1)
        os.close(kept)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # neither does the interpreter wait for them
