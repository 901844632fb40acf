"""Single kernels as functions of numpy arrays, and every way to multiply that this CPU has."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from runtime.engine.kernels.builder import POINTER, Kernel
from runtime.engine.kernels.compiled import compile_module, host_features
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


def exported(module: ir.Module, kernel: Kernel, *, features: frozenset[str] | None = None) -> Callable[..., None]:
    """A kernel that can be called with arrays and whole numbers."""
    types = list(kernel.function.function_type.args)
    names = [f"a{at}" for at in range(len(types))]
    outer = Kernel(module, "exported", **dict(zip(names, types, strict=True)))
    outer.call(kernel, *(outer[name] for name in names))
    outer.end()
    compiled = compile_module(module, features)
    kinds = [ctypes.c_void_p if type == POINTER else ctypes.c_int64 for type in types]
    function = compiled.function("exported", *kinds)

    def call(*arguments: Any, compiled: Any = compiled) -> None:
        function(*(given.ctypes.data if isinstance(given, np.ndarray) else given for given in arguments))

    return call
