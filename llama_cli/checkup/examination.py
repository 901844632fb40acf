"""Examines: asks every check at once, each with a time limit, and gives what they find in an order of its own.

Knows which checks there are, and what is examined when nothing is named. Prints nothing.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from llama_cli.asking.address import address_of
from llama_cli.checkup.findings import Check, Distribution, Finding, Patient, warning
from llama_cli.servers import records
from llama_cli.servers.records import Record
from llama_cli.terminal import console
from runtime.config.home import atomic_write, config_of, distribution_dir, distributions_dir, llama_home
from runtime.config.lookup import resolve_config
from runtime.config.text import as_meant, is_stream, read_text

AREAS = ("installed", "machine", "gpu", "network", "home", "builds", "configs", "providers")
"""The files with checks, in the order in which their findings are listed."""

_FIRST = "starter"
"""Examined where nothing is built: what a user starts with."""


def checks() -> list[Check]:
    """Every check, in order."""
    return [check for area in AREAS for check in import_module(f"llama_cli.checkup.{area}").CHECKS]


def patient_of(target: str | None, url: str | None, *, url_alone: bool = False) -> Patient:
    """What is to be examined. target: one distribution; otherwise all that are built or run, unless a server is to be
    looked at alone: then it has to be there.

    Raises NotFound for what is no distribution, and what `address_of` raises.
    """
    if url is not None and url_alone:
        url = address_of(url)
    alive = records.alive_records()
    if target is not None:
        chosen = [_named(target, alive)]
    elif url is not None and url_alone:
        chosen = []
    else:
        chosen = _all(alive) or [Distribution(name=_FIRST, target=_FIRST, folder=distribution_dir(_FIRST))]
    return Patient(
        environment=dict(os.environ),
        home=llama_home(),
        distributions=tuple(chosen),
        url=url,
    )


@contextmanager
def kept(target: str | None) -> Iterator[str | None]:
    """The same target; a run config that can be read only once, such as `-`, as a file while the block runs."""
    if target is None or not is_stream(as_meant(target)):
        yield target
        return
    text = read_text(as_meant(target), what="run config")
    with tempfile.TemporaryDirectory(prefix="llama-doctor-") as folder:
        file = Path(folder, "run.yaml")
        atomic_write(file, text)
        yield str(file)


def examine(
    patient: Patient, asked: Sequence[Check], tell: Callable[[Sequence[str]], None] = lambda names: None
) -> Iterator[Finding]:
    """The findings of one check after another, always in the same order, each as soon as those before it are known.

    A check that takes too long, or fails itself, is a finding of its own. tell: is given the names of the checks that
    have not answered yet, whenever one has.
    """
    answers: queue.SimpleQueue[tuple[Check, Finding | None]] = queue.SimpleQueue()
    found: dict[str, list[Finding]] = {check.name: [] for check in asked}
    open_until = {}
    for check in asked:
        open_until[check.name] = time.monotonic() + check.limit_s
        threading.Thread(target=_ask, args=(check, patient, answers), name=check.name, daemon=True).start()
    limits = {check.name: check.limit_s for check in asked}
    for check in asked:
        while check.name in open_until:
            tell([*open_until])
            name = min(open_until, key=lambda each: open_until[each])
            try:
                answered, finding = answers.get(timeout=max(0.0, open_until[name] - time.monotonic()))
            except queue.Empty:
                del open_until[name]
                said = f"it could not be found out within {limits[name]:.0f} s how this is: {name}"
                cause = "something that was asked does not answer"
                found[name].append(warning(f"{name}/timed-out", said, cause=cause))
                continue
            if answered.name not in open_until:
                continue  # it was given up
            if finding is None:
                del open_until[answered.name]
            else:
                found[answered.name].append(finding)
        yield from sorted(found[check.name], key=lambda one: (one.about, one.id, one.message))


def _ask(check: Check, patient: Patient, found: queue.SimpleQueue[tuple[Check, Finding | None]]) -> None:
    try:
        for finding in check.ask(patient):
            found.put((check, finding))
    except Exception as problem:
        if console.settings.debug:
            raise
        said = f"the check `{check.name}` failed itself"
        cause = f"{type(problem).__name__}: {problem}"
        found.put((check, warning(f"{check.name}/failed", said, cause=cause, fix="llama doctor --debug")))
    finally:
        found.put((check, None))


def _all(alive: Sequence[Record]) -> list[Distribution]:
    home = distributions_dir()
    folders = sorted(home.iterdir()) if home.is_dir() else []
    built = [folder for folder in folders if folder.is_dir() and (config_of(folder) or any(folder.glob("*run.yaml")))]
    return [_built(folder.name, alive) for folder in built]


def _built(name: str, alive: Sequence[Record]) -> Distribution:
    servers = tuple(record for record in alive if record.name == name)
    return Distribution(name=name, target=name, folder=distribution_dir(name), servers=servers)


def _named(target: str, alive: Sequence[Record]) -> Distribution:
    server = next((record for record in alive if record.id == target), None)
    if server is not None:
        return _built(server.name, [server])
    found = resolve_config(target)
    if isinstance(found, str):
        return _built(found, alive)
    real = found.resolve()
    for folder in distributions_dir().iterdir() if distributions_dir().is_dir() else ():
        if (known := config_of(folder)) is not None and known.resolve() == real:
            return _built(folder.name, alive)
    return Distribution(name=Path(target).name, target=target)
