"""Started as root: makes a tree of the places that a container is to see, and goes on in it as nobody.

    python -I -S as_nobody.py UID TREE [SOURCE PLACE]... -- PROGRAM [ARGUMENT]...

bubblewrap has to reach what it shows, and nobody reaches neither root's files nor what lies behind them. The tree is in
a mount namespace of this process alone. There is no way from it to anything else of the host but /proc and /dev, which
bubblewrap replaces. Imports nothing of ours; man 2 mount, pivot_root.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 4096, 16384, 1 << 18, 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MORE = ("/proc", "/dev")


def main() -> None:
    """Does not return. Raises OSError."""
    user, tree, *rest = sys.argv[1:]
    end = rest.index("--")
    os.umask(0o022)  # nobody has to get through the folders of the tree; a server's own umask may keep others out
    libc = ctypes.CDLL(None, use_errno=True)
    _done(libc.unshare(_CLONE_NEWNS), "unshare")
    _done(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "/")
    _done(libc.mount(b"tmpfs", os.fsencode(tree), b"tmpfs", 0, b"mode=0755,size=1m"), tree)
    places = [*zip(rest[:end:2], rest[1:end:2], strict=True), *((place, place) for place in _MORE)]
    for source, place in places:
        there = tree + place
        if os.path.isdir(source):
            os.makedirs(there, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(there), exist_ok=True)
            os.close(os.open(there, os.O_CREAT | os.O_WRONLY, 0o644))
        _done(libc.mount(os.fsencode(source), os.fsencode(there), None, _MS_BIND | _MS_REC, None), source)
    os.makedirs(f"{tree}/tmp", exist_ok=True)  # noqa: S108  # bubblewrap begins there
    os.chdir(tree)
    _done(libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _done(libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/")
    number = int(user)
    os.setgroups([])
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)
    os.execv(rest[end + 1], rest[end + 1 :])  # noqa: S606  # no shell is wanted


def _done(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


main()
