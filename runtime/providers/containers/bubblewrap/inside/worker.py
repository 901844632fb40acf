"""The process of the caller's code: takes on limits for good, then runs what it is given, one after another.

What code defines stays for the next one. Its output goes to a pipe of pid 1, also that of programs and libraries.
"""

from __future__ import annotations

import _ast
import builtins
import contextlib
import ctypes
import errno
import fcntl
import io
import os
import resource
import sys
import types
import warnings

from runtime.providers.containers.bubblewrap.inside import filtering
from runtime.providers.containers.bubblewrap.inside.figures import keep_figures
from runtime.providers.containers.bubblewrap.inside.messages import receive, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

PACKAGES, BYTECODE = "/opt/packages", "/opt/bytecode"
_OPEN_FILES = 256
_RLIMIT_MSGQUEUE = 12  # asm-generic/resource.h
_PR_SET_DUMPABLE = 4  # linux/prctl.h
_ERROR_CHARACTERS = 20_000


def live(tasks: int, results: int, output: int, settings: dict[str, Any]) -> NoReturn:
    """Run the code of each task until this is ended. Called in the new process."""
    try:
        for number in (1, 2):
            os.dup2(output, number)
        tasks, results = _high(tasks), _high(results)
        os.closerange(3, min(tasks, results))
        os.closerange(max(tasks, results) + 1, _OPEN_FILES * 4)
        _bound(settings)
        filtering.close(os.uname().machine)
        _Session(settings).serve(tasks, results)
    finally:
        os._exit(70)


def _high(number: int) -> int:
    """The same pipe, under a number that code does not meet by accident, and closed to what it starts."""
    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _OPEN_FILES - 8)


def _bound(settings: dict[str, Any]) -> None:
    limits = settings["limits"]
    bounds = {
        resource.RLIMIT_AS: settings["address_bytes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: limits["disk_bytes"],
        resource.RLIMIT_MEMLOCK: 0,
        _RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_NPROC: limits["processes"],
    }
    for kind, value in bounds.items():
        resource.setrlimit(kind, (value, value))
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # pid 1 looks at what this has open


class _Session:
    """What code has defined."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._number = 0
        self._sources: dict[str, str] = {}
        self._pid = os.getpid()
        self._processes: int = settings["limits"]["processes"]
        for name in [name for name in sys.modules if name.partition(".")[0] == "runtime"]:
            del sys.modules[name]
        sys.path[:] = [*(path for path in sys.path if path != settings["ours"]), PACKAGES]
        sys.argv = [""]
        builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]  # as `site` has them
        sys.pycache_prefix = BYTECODE
        warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")  # they are kept at the end
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, errors="backslashreplace")
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        self._names = main.__dict__
        self._names["__builtins__"] = __builtins__

    def serve(self, tasks: int, results: int) -> NoReturn:
        send(results, {})
        while True:
            asked = receive(tasks)
            said = self._run(asked["code"])
            if os.getpid() != self._pid:  # what code has forked comes here too
                os._exit(1 if said["error"] else 0)
            send(results, {"nonce": asked["nonce"], **said})

    def _run(self, code: str) -> dict[str, Any]:
        self._number += 1
        said: dict[str, Any] = {"error": None, "limit": None, "figures": []}
        try:
            self._execute(code, f"<code {self._number}>")
        except SystemExit as ended:
            if ended.code not in (None, 0):
                said["error"] = f"SystemExit: {ended.code}"[:_ERROR_CHARACTERS]
        except MemoryError:
            said |= {"error": "MemoryError", "limit": "memory"}
        except BaseException as error:
            said["error"] = self._told(error)
            if isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.EDQUOT):
                said["limit"] = "disk"
            elif isinstance(error, BlockingIOError | RuntimeError) and self._is_crowded():
                said["limit"] = "processes"
        try:
            said["figures"] = keep_figures()
        except Exception as error:
            said["error"] = said["error"] or self._told(error)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        return said

    def _is_crowded(self) -> bool:
        """Whether so much runs here that it must be why no more could be started."""
        here = sum(name.isdigit() for name in os.listdir("/proc"))
        return 2 * (here + len(os.listdir("/proc/self/task"))) > self._processes

    def _execute(self, code: str, name: str) -> None:
        """Run it; the value of an expression at its end is shown as Python shows one."""
        self._sources[name] = code
        tree = compile(code, name, "exec", flags=_ast.PyCF_ONLY_AST)
        assert isinstance(tree, _ast.Module)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
        exec(compile(tree, name, "exec"), self._names)  # noqa: S102  # what this is for
        if last is not None:
            exec(compile(_ast.Interactive([last]), name, "single"), self._names)  # noqa: S102

    def _told(self, error: BaseException) -> str:
        """An exception with where it came from, without our own part of that."""
        import linecache  # these take longer to import than most code takes
        import traceback

        for name, code in self._sources.items():
            linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        try:
            inner = error.__traceback__
            while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
                inner = inner.tb_next
            words = "".join(traceback.format_exception(type(error), error, inner, limit=-20)).strip()
        except Exception:
            words = type(error).__name__
        return words if len(words) <= _ERROR_CHARACTERS else "..." + words[-_ERROR_CHARACTERS:]
