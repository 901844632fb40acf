"""Single kernels as functions of numpy arrays, every way to multiply that this CPU has, and modules as other CPUs get
them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from runtime.engine.kernels.builder import POINTER, Kernel
from runtime.engine.kernels.compiled import Compiled, host_features, optimized
from runtime.engine.kernels.dot import DOTS, Dot

HERE = [dot for dot in DOTS if any(need <= host_features() for need in dot.needs)]
"""The last one is for any CPU."""


def features_for(dot: Dot) -> frozenset[str]:
    """This CPU's features without those that a slower CPU lacks, so that a way is tried as it is there."""
    features = host_features()
    if dot.name == "avx-vnni":
        return features
    if dot.name == "avx2":
        return frozenset(name for name in features if not name.startswith(("avx512", "avxvnni")))
    if dot.name == "plain":
        return frozenset(
            name for name in features if not name.startswith(("avx512", "avxvnni", "avx2", "fma", "dotprod"))
        )
    return features


def flags_of(features: frozenset[str]) -> str:
    """In LLVM's words: of this CPU's features only these."""
    return ",".join(f"{'+' if name in features else '-'}{name}" for name in sorted(llvm.get_host_cpu_features()))


def exported(module: ir.Module, kernel: Kernel, *, features: frozenset[str] | None = None) -> Callable[..., None]:
    """A kernel that can be called with arrays and whole numbers."""
    types = list(kernel.function.function_type.args)
    names = [f"a{at}" for at in range(len(types))]
    outer = Kernel(module, "exported", **dict(zip(names, types, strict=True)))
    outer.call(kernel, *(outer[name] for name in names))
    outer.end()
    compiled = _compiled_for(module, host_features() if features is None else features)
    kinds = [ctypes.c_void_p if type == POINTER else ctypes.c_int64 for type in types]
    function = compiled.function("exported", *kinds)

    def call(*arguments: Any, compiled: Any = compiled) -> None:
        function(*(given.ctypes.data if isinstance(given, np.ndarray) else given for given in arguments))

    return call


def _compiled_for(module: ir.Module, features: frozenset[str]) -> Compiled:
    """For this CPU, of whose features only these are used."""
    flags = flags_of(features)
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(llvm.get_host_cpu_name(), flags, opt=3, jit=True)
    return Compiled(machine, machine.emit_object(optimized(module, machine)))


def assembly_for(module: ir.Module, triple: str, features: str) -> str:
    """What a module becomes on another kind of CPU, in its assembly language. triple, features: in LLVM's words."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine("", features, opt=3)
    module.triple = triple
    assembly: str = machine.emit_assembly(optimized(module, machine))
    return assembly
