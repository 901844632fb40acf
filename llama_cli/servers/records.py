"""The records of managed servers: who runs, where, since when, and whether that is still true.

A record is `<llama home>/servers/<id>.json`. The command line creates it before it starts a server; the server locks it
for as long as it lives and rewrites it in place. So alive is a lock test: no pid is ever guessed at. A start that never
became ready leaves none. Knows files and locks; starts and stops nothing, prints nothing.

    starting ──> ready <──> degraded ──> draining ──> stopped
        └──> failed (with a reason)              any of them, its lock gone: crashed
                                                 locked, and no document in it, or no pid: unreadable
                                                 locked, and a state that we do not know: unknown
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from llama_cli.disk.lock import is_locked, locked
from llama_cli.exits import Failure
from runtime import __version__
from runtime.clock import utc_now, wall_time
from runtime.config.home import atomic_write, private_folder, servers_dir
from runtime.errors import Conflict

ENDED = ("failed", "stopped")
HEALTHY = ("ready", "degraded")
UNREADABLE, UNKNOWN = "unreadable", "unknown"
_STATES = ("starting", *HEALTHY, "draining", *ENDED)

UNLOCKED_GRACE_S = 20.0
"""How long a record without a pid is `starting`, since it was written or `note_start` was called."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One server. id: unique among records; name: its distribution; started_at: ISO 8601, UTC; reason: why it failed,
    drains or is degraded; hint: what to do about a start that failed.

    settled: whether every provider has come up or given up; a server answers before that. loading: ids of providers
    whose models are not there yet; load_timeout_s: how long a request that comes now waits for them.
    last_hour: what it was like, as `runtime.telemetry.last_hour` sums it up; None where that is not counted.
    degraded: reasons by provider id, or by the run config's key for what is no provider. off: providers that are not
    started, as `{provider_type, variables}`.
    options: what `restart` needs to do the same again, the interpreter that it runs in, and `launch`, which tells this
    start from any other of the same id. It never holds values of `--env`, only their names.
    """

    id: str
    name: str
    state: str
    pid: int | None = None
    host: str | None = None
    port: int | None = None
    url: str | None = None
    config: str | None = None
    state_dir: str | None = None
    log_file: str | None = None
    version: str | None = None
    started_at: str | None = None
    reason: str | None = None
    hint: str | None = None
    exit_code: int | None = None
    settled: bool = True
    loading: list[str] = field(default_factory=list)
    load_timeout_s: float | None = None
    last_hour: dict[str, Any] | None = None
    degraded: dict[str, str] = field(default_factory=dict)
    off: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    path: Path
    alive: bool

    @property
    def seen_state(self) -> str:
        """The state as it is, not as it was last written: a server that is gone without saying so has crashed."""
        return self.state if self.alive or self.state in ENDED else "crashed"

    @property
    def can_be_asked(self) -> bool:
        """Whether it answers as far as its record tells: what a state means that we do not know, it says itself."""
        return self.alive and self.url is not None and self.state in (*HEALTHY, UNKNOWN)

    @property
    def kept_config(self) -> Path:
        """Where the run config that it was started with is kept; see `started_with`."""
        return self.path.with_suffix(".config")

    @property
    def python(self) -> str | None:
        """The interpreter that it was started with, whose environment has to stay for as long as it runs."""
        return self._option("python")

    @property
    def run_config(self) -> str:
        """The file that it serves. Raises Failure where its record, of another version or damaged, does not say."""
        if self.config is None:
            hint = f"start it anew: `llama stack run {self.name}`"
            raise Failure(f"the record of `{self.id}` does not say what it was started with", hint=hint)
        return self.config

    @property
    def real_state_dir(self) -> str | None:
        """Its state folder by the one name that all links to it lead to: the server writes that, we what was typed."""
        return os.path.realpath(self.state_dir) if self.state_dir else None

    @property
    def launch(self) -> str | None:
        return self._option("launch")

    def _option(self, name: str) -> str | None:
        stated = self.options.get(name)
        return stated if isinstance(stated, str) else None

    @property
    def explanation(self) -> str | None:
        """Why it is as it is, in one line: its reason, what is degraded and why, what is not there yet."""
        if self.seen_state == "crashed" and self.exit_code is None:
            # Its reason is from before: why it was degraded is not why it is gone.
            return "it ended without saying why: it was killed, or the machine was restarted"
        degraded = "; ".join(f"{provider_id}: {why}" for provider_id, why in self.degraded.items())
        parts = [self.reason or (degraded if self.alive else None)]
        if self.alive and self.state in HEALTHY and (self.loading or not self.settled):
            awaited = ", ".join(map(str, self.loading))
            parts.append(f"loading: {awaited}" if awaited else "providers are still starting")
        return "; ".join(filter(None, parts)) or None

    @property
    def uptime_s(self) -> float | None:
        if not self.alive or self.started_at is None:
            return None
        try:
            return max(0.0, (utc_now() - datetime.fromisoformat(self.started_at)).total_seconds())
        except (ValueError, TypeError):  # no time, or one without its zone
            return None

    def summary(self) -> dict[str, Any]:
        """What `ps` and `status` both show with `--json`."""
        stated = ("id", "name", "url", "version", "started_at", "uptime_s", "degraded", "loading", "config", "log_file")
        seen = {"state": self.seen_state, "reason": self.explanation, "pid": self.pid if self.alive else None}
        return {name: getattr(self, name) for name in stated} | seen


def records() -> list[Record]:
    """Every record there is, sorted by id; also those of servers that have ended."""
    found = (read(path) for path in servers_dir().glob("*.json"))
    return sorted((record for record in found if record is not None), key=lambda record: record.id)


def alive_records() -> list[Record]:
    return [record for record in records() if record.alive]


def read(path: Path) -> Record | None:
    """The record in a file; None where there is none, or nothing that could be one.

    A server rewrites it in place: half of one that is new is read again, for up to 0.5 s.
    """
    for _ in range(50):
        try:
            stated = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
            return _record(path, stated) if isinstance(stated, dict) else None
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unreadable(path, error.strerror or str(error))
        except (ValueError, RecursionError):
            if not _is_new(path):
                break
            time.sleep(0.01)
    # Whatever it says, it is a server's for as long as that holds its lock.
    return _unreadable(path, "it is no JSON") if is_locked(path) else None


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "list": (list,), "dict": (dict,)
}  # fmt: skip


def _record(path: Path, stated: Mapping[str, Any]) -> Record:
    """Values that another version, or a hand, has written in another type are left out; the file's name is the id."""
    facts: dict[str, Any] = {"name": path.stem, "state": UNKNOWN}
    for item in fields(Record):
        names = [part.partition("[")[0] for part in str(item.type).split(" | ")]  # of `list[str] | None`: list, None
        kinds = tuple(chain.from_iterable(_KINDS.get(name, ()) for name in names))
        if item.name not in ("id", "alive") and isinstance(stated.get(item.name), kinds):
            facts[item.name] = stated[item.name]
    facts["id"] = path.stem
    if facts["state"] in _STATES and (facts.get("pid") is not None or facts["state"] in ("starting", *ENDED)):
        return Record(**facts, path=path, alive=_is_alive(path, facts))
    return Record(**facts | _doubtful(path, facts, stated), path=path)


def _doubtful(path: Path, facts: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says that another version has written, or a hand: its lock alone tells whether it is a server's."""
    is_alive, by = is_locked(path), facts.get("version")
    if facts.get("pid") is None:
        state, why = UNREADABLE if is_alive else UNKNOWN, "names no process"
    else:
        state, why = UNKNOWN, f"says that it is `{stated.get('state')}`, which version {__version__} does not know"
        why += f"; version {by} wrote it" if by not in (None, __version__) else ""
    return {"state": state, "reason": f"its record `{path}` {why}", "alive": is_alive}


def _unreadable(path: Path, why: str) -> Record:
    reason = f"its record `{path}` cannot be read: {why}"
    return Record(id=path.stem, name=path.stem, state=UNREADABLE, reason=reason, path=path, alive=True)


def _is_new(path: Path) -> bool:
    try:
        return wall_time() - path.stat().st_mtime < 2
    except OSError:
        return False


class AlreadyRunning(Conflict):
    """The distribution's state is in use by a server that runs.

    record: that server's; config: the run config that was to be served.
    """

    def __init__(self, record: Record, *, config: str | None = None) -> None:
        where = f"at {record.url}" if record.url else f"({record.seen_state})"
        super().__init__(
            f"`{record.name}` is already running {where}, pid {record.pid or 'not known yet'}",
            hint=f"stop it with `llama stack stop {record.id}`, or start another beside it with `--port 0`",
        )
        self.record = record
        self.config = config

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: a build refuses a second server in a process of its own."""
        return AlreadyRunning, (self.record,), {"config": self.config}


def refuse_second(name: str, state_dir: str, *, config: str | None = None) -> None:
    """Raises AlreadyRunning where a server that runs keeps its state there, Conflict where that cannot be ruled out: a
    server of this distribution runs, and its record cannot be read.

    name: the distribution's; config: the run config that is to be served.
    """
    for record in alive_records():
        if record.state == UNREADABLE:
            if record.id.removeprefix(name).lstrip("-0123456789") == "":  # all that an id adds to the name
                raise unreadable(record)
            continue
        if record.real_state_dir == os.path.realpath(state_dir):
            raise AlreadyRunning(record, config=config)


def unreadable(record: Record) -> Conflict:
    """All that is known of such a server is that it runs."""
    return Conflict(
        f"`{record.id}` runs, and {record.reason}",
        hint=f"end it yourself (`fuser {record.path}` names its process), or start another beside it with `--port 0`",
    )


def reserve(
    name: str, facts: Callable[[str], Mapping[str, Any]], *, beside: bool = False, only: str | None = None
) -> Record:
    """Create the record of a server that is about to start and return it.

    facts: the rest of the record, given the id. beside: start one more, whatever runs (its facts name a state folder
    of its own). only: this id and no other, for a server that is started again.
    Raises AlreadyRunning where a server holds the same state folder. Two callers at once get two ids, or one of them
    the error.
    """
    folder = private_folder(servers_dir())
    with locked(folder):
        known = {record.id: record for record in records()}
        if not beside:
            wanted = facts(only or name)
            refuse_second(name, wanted["state_dir"], config=wanted.get("config"))
        if only is not None:
            if only in known and known[only].alive:
                raise AlreadyRunning(known[only])
            server_id = only
        else:
            server_id = _free_id(name, known)
        started_at = utc_now().isoformat(timespec="seconds")
        stated = {"id": server_id, "name": name, "state": "starting", "version": __version__, "started_at": started_at}
        given = facts(server_id)
        options = {"launch": os.urandom(8).hex(), **given.get("options", {})}
        path = folder / f"{server_id}.json"
        # For its owner alone: options can name paths and models that are nobody else's business.
        atomic_write(path, json.dumps({**stated, **given, "options": options}))
        made = read(path)
        assert made is not None
        return made


def note_start(record: Record) -> None:
    """Say of a server without a pid that it is still being started: on a busy machine an interpreter takes its time."""
    with suppress(OSError):
        os.utime(record.path)


def next_id(name: str) -> str:
    """The id that the next server of a distribution would get."""
    return _free_id(name, {record.id: record for record in records()})


def _free_id(name: str, known: Mapping[str, Record]) -> str:
    """`starter`, then `starter-2`, ...; an id of another distribution is left to it."""
    ids = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(each for each in ids if each not in known or not (known[each].alive or known[each].name != name))


def rewrite(record: Record, **changes: Any) -> None:
    """Note, for a server that is gone, how it ended; nothing where it still runs, or another start has its id."""
    with locked(record.path.parent):
        now = read(record.path)
        if now is None or now.launch != record.launch or (now.alive and now.pid is not None):
            return
        stated = json.loads(record.path.read_text(encoding="utf-8"))
        atomic_write(record.path, json.dumps(stated | changes))


def forget(record: Record, *, before: Callable[[], None] = lambda: None) -> None:
    """Remove the record of a start that has ended; nothing where another start has its id. before: called then, while
    nobody can take the id.
    """
    with locked(record.path.parent):
        now = read(record.path)
        if now is not None and now.launch == record.launch and not now.alive:
            before()
            record.path.unlink(missing_ok=True)
            record.kept_config.unlink(missing_ok=True)


def _is_alive(path: Path, facts: Mapping[str, Any]) -> bool:
    if facts["state"] in ENDED:
        return False
    if facts.get("pid") is None:
        # Its server has not reached the lock yet, and testing it now could keep the server from taking it.
        return wall_time() - path.stat().st_mtime < UNLOCKED_GRACE_S
    return is_locked(path)
