"""Work that needs a distribution's own interpreter, for the command line: `python -I -m runtime.admin VERB`, which
prints JSON on stdout.

check RUN_YAML: import every configured adapter, so that a missing package is found by the build and not by the first
request.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from runtime.errors import StackError
from runtime.stdio import print_error


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m runtime.admin", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", help="import every configured adapter")
    check.add_argument("run_yaml", type=Path)
    options = parser.parse_args()
    try:
        with _stdout_kept_clean():
            failures = check_adapters(options.run_yaml)
    except StackError as error:
        sys.exit(_refused(error))
    json.dump({"failures": failures}, sys.stdout)
    sys.exit(1 if failures else 0)


def _refused(error: StackError) -> int:
    print_error(f"error: {error.message}")
    return 3


@contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    """Send what packages print during their import to stderr, since stdout is only for our JSON."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def check_adapters(run_yaml: Path) -> list[dict[str, Any]]:
    """Every adapter that cannot be imported: provider id, type and error. Raises ConfigInvalid for a run config that
    cannot be planned.
    """
    from runtime import discovery
    from runtime.stack.plan import plan, read_run_config

    failures = []
    run = read_run_config(run_yaml, os.environ, to_build=True)
    for planned in plan(run, file=str(run_yaml)).providers:
        try:
            discovery.load(planned.spec.adapter, package=planned.spec.module)
        except (Exception, SystemExit) as error:
            words = f"{type(error).__name__}: {error}"
            failures.append(
                {"provider_id": planned.provider_id, "provider_type": planned.spec.provider_type, "error": words}
            )
    return failures


if __name__ == "__main__":
    main()
