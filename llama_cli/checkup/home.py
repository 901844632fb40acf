"""The Llama home: whose it is, who can read it, whether locks work there, and what has been left in it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from llama_cli.checkup.findings import Check, Finding, Patient, Repair, error, ok, typed, warning
from llama_cli.servers import records
from llama_cli.terminal import words

_OURS = {"distributions", "servers", "models", "chat", "logs", "cache"}
"""What stands in a Llama home."""
_WHY_PRIVATE = "logs and databases can hold what users have said"
_REMOTE = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "afs", "fuse.gcsfuse", "fuse.s3fs", "lustre", "virtiofs")


def home(patient: Patient) -> Iterator[Finding]:
    """It holds state and logs, so only its owner may read it."""
    folder = patient.home
    if not folder.exists():
        yield ok("home/none", f"{folder} is not there yet; the first build makes it")
        return
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if not folder.is_dir():
        yield error("home/no-folder", f"{folder} is no folder", fix="set `LLAMA_HOME` to a folder")
    elif hasattr(os, "getuid") and found.st_uid != os.getuid():
        fix = "set `LLAMA_HOME` to a folder of yours"
        yield error("home/owner", f"{folder} belongs to the user {found.st_uid}, not to you", fix=fix)
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield error("home/closed", f"{folder} cannot be written", fix=typed("chmod", "u+rwx", folder))
    elif mode & 0o077:
        said, cause = f"{folder} can be read by others (mode {mode:04o})", _WHY_PRIVATE
        if not _is_ours_alone(folder):
            fix = "set `LLAMA_HOME` to a folder that holds nothing else"
            yield warning("home/shared", f"{said}, and holds what is not ours", cause=cause, fix=fix)
            return
        close = typed("chmod", "700", folder)
        repair = Repair(what=close, do=partial(folder.chmod, 0o700))
        yield warning("home/open", said, cause=cause, fix=close, repair=repair)
    else:
        yield ok("home/ok", f"{folder} is yours alone")


def _is_ours_alone(folder: Path) -> bool:
    """Whether it can be closed without closing out somebody: `/srv`, or a home folder, can be meant by `LLAMA_HOME`."""
    return {entry.name for entry in folder.iterdir()} <= _OURS


def locks(patient: Patient) -> Iterator[Finding]:
    """Servers and builds are told apart by file locks, which some network file systems do not have."""
    folder = patient.home / "servers"
    if not folder.is_dir():
        return
    kind = _file_system_of(folder)
    try:
        works = _lock_works(folder)
    except OSError as problem:
        if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC):
            return  # what that means is said of the home
        works = False
    fix = "set `LLAMA_HOME` to a folder on a disk of this machine"
    if not works:
        cause = f"the file system ({kind or 'unknown'}) has none, so that two servers could use one state"
        yield error("locks/none", f"file locks do not work in {folder}", cause=cause, fix=fix)
    elif kind.startswith(_REMOTE):
        cause = "a lock held on another machine can be missed, and databases there can be damaged"
        yield warning("locks/remote", f"{patient.home} is on a network file system ({kind})", cause=cause, fix=fix)
    else:
        yield ok("locks/ok", f"file locks work in {folder}")


def left_over(patient: Patient) -> Iterator[Finding]:
    """Records of servers that are gone, and files that are no records."""
    folder = patient.home / "servers"
    if not folder.is_dir():
        return
    count = 0
    for path in sorted(folder.glob("*.json")):
        record = records.read(path)
        if record is None and path.is_file():
            repair = Repair(what=f"remove {path}", do=partial(_remove_garbage, path))
            yield warning("records/garbage", f"{path} is no record of a server", fix=typed("rm", path), repair=repair)
        elif record is None:
            continue  # a folder, a link that leads nowhere: whatever it is, it is nobody's record
        elif record.alive and record.state == records.UNREADABLE:
            yield error(
                "records/unreadable",
                f"`{record.id}` runs, and its record cannot be read",
                about=record.id,
                cause=record.reason,
                fix=typed("fuser", path),
            )
        elif record.alive and record.state == records.UNKNOWN:
            yield warning(
                "records/unknown",
                f"`{record.id}` runs, and its record is of another version, or was changed by hand",
                about=record.id,
                cause=record.reason,
                fix=f"llama stack restart {record.id}",
            )
        elif record.seen_state == "crashed":
            yield warning(
                "records/crashed",
                f"`{record.id}` is gone and was not stopped",
                about=record.id,
                cause=record.explanation,
                fix=f"llama stack restart {record.id}",
                repair=Repair(what=f"forget `{record.id}`; its log stays", do=partial(records.forget, record)),
            )
        else:
            count += 1
    if count:
        yield ok("records/ok", f"{words.counted(count, 'record')} of servers, all in order")


def _remove_garbage(path: Path) -> None:
    if records.read(path) is None:
        path.unlink(missing_ok=True)


def _lock_works(folder: Path) -> bool:
    """Whether a lock keeps a second one out. Leaves nothing."""
    path = folder / f".doctor-{os.getpid()}"
    first = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        second = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
        finally:
            os.close(second)
    finally:
        os.close(first)
        path.unlink(missing_ok=True)


def _file_system_of(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Its kind, as the kernel names it; empty where it does not say."""
    best, kind = "", ""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        _, place, named, *_ = [*line.split(), "", "", ""]
        place = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), place)
        if folder.resolve().is_relative_to(place or "/-") and len(place) >= len(best):
            best, kind = place, named
    return kind


CHECKS = (Check(name="home", ask=home), Check(name="locks", ask=locks), Check(name="records", ask=left_over))
