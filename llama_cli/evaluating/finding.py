"""The run that a name means: its id, `last`, or a file with what `--json` has printed of it; and two, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llama_cli.asking import evaluations
from llama_cli.asking.address import address_of
from llama_cli.evaluating.run import Run, saved
from llama_cli.exits import ExitCode, Failure
from runtime.config.text import as_meant, is_stream

LAST = "last"


def is_file(name: str) -> bool:
    """Whether a run is meant that was saved."""
    return name.endswith(".json") or is_stream(as_meant(name)) or Path(as_meant(name)).is_file()


def find(name: str, url: str | None) -> Run:
    """The run with its rows. url: of the server, which a file does not need. Raises Failure (USAGE) where there is
    none, and what `saved`, `address_of` and `evaluations.run` raise.
    """
    if is_file(name):
        return saved(name)
    address = address_of(url)
    if name != LAST:
        return _with_rows(address, evaluations.run(address, name))
    job = evaluations.newest(address)
    if job is None:
        hint = "`llama stack eval ls` lists what there is"
        raise Failure("there is no run that is complete", hint=hint, code=ExitCode.USAGE)
    return _with_rows(address, job)


def find_baseline(name: str, url: str | None, benchmark_id: str, *, but: str | None = None) -> Run | None:
    """What a run of a benchmark is compared with. but: the run itself, which `last` does not mean. None for `last`
    where there is no other yet. Raises as `find` does.
    """
    if is_file(name):
        return saved(name)
    address = address_of(url)
    if name != LAST:
        return _with_rows(address, evaluations.run(address, name))
    job = evaluations.newest(address, benchmark_id, but=but)
    return None if job is None else _with_rows(address, job)


def _with_rows(address: str, job: dict[str, Any]) -> Run:
    return Run.of(job, evaluations.rows(address, job))
