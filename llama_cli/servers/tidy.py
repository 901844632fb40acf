"""What ended servers leave behind, and goes by itself: ready files of any of them; the record and the state folder of
one on `--port 0` that was stopped, and of one for a command, however that ended, since both were for this one start.

Any other server that has crashed or failed keeps its record, to be looked at and started again; logs stay in any case.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from llama_cli.servers import records
from llama_cli.servers.records import Record
from runtime.clock import wall_time
from runtime.config.home import distributions_dir, servers_dir
from runtime.trees import remove_tree

_LEFT_S = 60.0


def own_state(record: Record) -> Path | None:
    """The state folder that was made for this one start, as those on `--port 0` have it; None for any other."""
    if record.options.get("port") != 0 or record.options.get("state") or not record.state_dir:
        return None
    folder = Path(record.state_dir)
    is_ours = folder.parent.name == "instances" and folder.resolve().is_relative_to(distributions_dir().resolve())
    return folder if is_ours else None


def forget(record: Record) -> None:
    """Remove the record of a start that has ended, and the state folder that was its own; nothing where another start
    has its id.
    """
    folder = own_state(record)
    # Out of the way while no other start can take the id, and with it the folder.
    trash = folder and folder.with_name(f".{folder.name}.{os.urandom(4).hex()}")

    def before() -> None:
        if folder is not None and trash is not None and folder.is_dir():
            folder.rename(trash)

    records.forget(record, before=before)
    if trash is not None:
        with suppress(OSError):
            remove_tree(trash)


def forget_stopped(record: Record) -> None:
    """`forget` for a server on `--port 0` that was stopped; nothing for any other."""
    now = records.read(record.path)
    if now is not None and now.launch == record.launch and now.state == "stopped" and own_state(now) is not None:
        forget(now)


def sweep() -> None:
    """Remove what servers have left that could not do it themselves, as after `kill -9`. What was stopped a moment ago
    is left: it can be about to start again, unless it was for a command. Where the home can only be read, so is all of
    it.
    """
    from runtime.config import ready_files

    for note in sorted(servers_dir().glob(f"*{ready_files.SUFFIX}")):
        path = note.with_suffix(".json")
        record = records.read(path)
        ready_files.remove(path, but=record.pid if record is not None and record.alive else None)
    for record in records.records():
        with suppress(OSError):
            if record.alive:
                continue
            was_left = wall_time() - record.path.stat().st_mtime > _LEFT_S
            has_run = record.pid is not None or record.state in records.ENDED
            if record.options.get("for_command") is True and (was_left or has_run):
                forget(record)
            elif was_left:
                forget_stopped(record)
