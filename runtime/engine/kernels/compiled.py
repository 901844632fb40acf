"""Compiles a module of kernels for this machine's CPU, and keeps the result on disk: compiling takes seconds, reading
what was compiled milliseconds.

The name of a kept file is a digest of everything that it depends on: this package's source, the module's name, the CPU
with its features and the compiler's version; so a module that is kept is not even built. A file that is damaged, cannot
be written or could be another user's costs a compilation, nothing else. Those that were not used for longest are
removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import stat
import tempfile
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

log = logging.getLogger(__name__)

_SUFFIX = ".o"
_MOST_KEPT = 64
"""Files, of about 100 kB: a model has two, and each new version of this package other ones."""
YIELD = "llama_yield"
"""A function that kernels may call: gives the CPU to another thread that waits for it."""

_is_initialized = False


class Compiled:
    """Machine code in this process. It stays as long as this object."""

    def __init__(self, machine: llvm.TargetMachine, data: bytes) -> None:
        backing = llvm.parse_assembly("")
        self._engine = llvm.create_mcjit_compiler(backing, machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(data))
        self._engine.finalize_object()
        self._engine.run_static_constructors()

    def function(self, name: str, *types: Any) -> Callable[..., None]:
        """A kernel that can be called; Python's other threads run meanwhile. types: of its arguments, from ctypes.

        Raises KeyError where there is none of this name.
        """
        address = self._engine.get_function_address(name)
        if not address:
            raise KeyError(name)
        made: Callable[..., None] = ctypes.CFUNCTYPE(None, *types)(address)
        return made


def host_features() -> frozenset[str]:
    """The features of this CPU by LLVM's names, such as `avx512vnni`."""
    _initialize()
    return frozenset(name for name, is_there in llvm.get_host_cpu_features().items() if is_there)


def converts_halves(triple: str, features: Collection[str]) -> bool:
    """Whether such a CPU has instructions between float16 and float32. For one that has not, LLVM calls functions of a
    compiler's library, which is not here: the process would end. triple, features: in LLVM's words.
    """
    architecture = triple.partition("-")[0]
    return architecture in ("aarch64", "arm64") or (architecture == "x86_64" and "f16c" in features)


def can_run_here() -> bool:
    """Whether this CPU can run what is compiled here at all."""
    return converts_halves(llvm.get_default_triple(), host_features())


def compiled(name: str, build: Callable[[], ir.Module], kept: Path | None) -> Compiled:
    """A module of ours for this CPU. name: says, with the source of this package, what `build` makes.

    kept: the folder where compiled modules are kept; None keeps none.
    """
    _initialize()
    path = None
    if kept is not None:
        facts = (name, _source_digest(), llvm.get_host_cpu_name(), _flags(), llvmlite.__version__)
        path = kept / (hashlib.sha256("\0".join(facts).encode()).hexdigest()[:32] + _SUFFIX)
        if (data := _read(path)) is not None:
            try:
                return Compiled(_machine(), data)
            except RuntimeError:
                log.warning("a compiled kernel cannot be used and is made again", extra={"path": str(path)})
    machine = _machine()
    data = _compiled(build(), machine)
    if path is not None:
        _keep(path, data)
    return Compiled(machine, data)


def optimized(module: ir.Module, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """A module as it is compiled for a machine. Raises RuntimeError, with LLVM's message, for one that is wrong."""
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False  # ours are vectors already
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    return parsed


def _flags() -> str:
    """This CPU's features in LLVM's words."""
    mine = llvm.get_host_cpu_features().items()
    return ",".join(f"{'+' if is_there else '-'}{name}" for name, is_there in sorted(mine))


def _machine() -> llvm.TargetMachine:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(llvm.get_host_cpu_name(), _flags(), opt=3, jit=True)


@cache
def _source_digest() -> str:
    """Of this package: other source makes other modules."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _initialize() -> None:
    global _is_initialized
    if not _is_initialized:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        library, name = ("kernel32", "SwitchToThread") if os.name == "nt" else (None, "sched_yield")
        llvm.add_symbol(YIELD, ctypes.cast(getattr(ctypes.CDLL(library), name), ctypes.c_void_p).value)
        _is_initialized = True


def _compiled(module: ir.Module, machine: llvm.TargetMachine) -> bytes:
    data: bytes = machine.emit_object(optimized(module, machine))
    return data


def _read(path: Path) -> bytes | None:
    """What was kept: its digest, then the code; None where it is not there, is damaged or may be of somebody else."""
    try:
        with path.open("rb") as file:
            if not _is_trusted(os.fstat(file.fileno())):
                log.warning("a compiled kernel that others can write is not used", extra={"path": str(path)})
                return None
            data = file.read()
    except OSError:
        return None
    digest, code = data[:32], data[32:]
    if hashlib.sha256(code).digest() != digest:
        return None
    with contextlib.suppress(OSError):  # another process may have removed it, or the folder is for reading only
        os.utime(path)  # it was used now
    return code


def _is_trusted(facts: os.stat_result) -> bool:
    """Whether only this user, or the system's administrator, can have written a file: its code will be run."""
    if os.name == "nt":
        return True  # whose file it is follows from the folder
    return facts.st_uid in (os.geteuid(), 0) and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _keep(path: Path, code: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Readable and writable by this user only. One that a process leaves behind when it is ended ages as the others.
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=_SUFFIX, delete=False) as file:
            made = Path(file.name)
        try:
            made.write_bytes(hashlib.sha256(code).digest() + code)
            made.replace(path)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
        _remove_oldest(path.parent)
    except OSError as error:
        log.info("compiled kernels are not kept", extra={"path": str(path), "reason": error.strerror})


def _remove_oldest(folder: Path) -> None:
    """Other processes may do the same meanwhile."""
    used: list[tuple[int, Path]] = []
    for file in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            used.append((file.stat().st_mtime_ns, file))
    for _, file in sorted(used)[:-_MOST_KEPT]:
        file.unlink(missing_ok=True)
