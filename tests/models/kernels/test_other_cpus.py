"""The whole decoder as other kinds of CPU get it: their instructions are in it, and nothing that is in no library."""

from __future__ import annotations

import re

import pytest
from llvmlite import ir

from runtime.engine.kernels.builder import HALVES, POINTER, Kernel
from runtime.engine.kernels.compiled import YIELD, converts_halves
from runtime.engine.kernels.decoder import decoder_module
from runtime.engine.kernels.dot import best_dot
from runtime.engine.kernels.tables import Shape
from tests.support.compiled_kernels import assembly_for

SHAPE = Shape(layers=2, hidden=64, heads=4, kv_heads=2, head_dim=16, ffn=96, vocab=130, eps=1e-5)
ARM, X86 = "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"


def called_from_outside(assembly: str) -> set[str]:
    """Functions that the code calls, by name or by an address that it loads first, and does not define."""
    defined = set(re.findall(r"^(\w+):", assembly, re.MULTILINE))
    called = set(re.findall(r"\t(?:bl|b|callq|jmp)\t([A-Za-z_]\w*)|\tmovabsq\t\$([A-Za-z_]\w*)", assembly))
    return {name for pair in called for name in pair if name} - defined


@pytest.mark.parametrize(
    ("triple", "features", "has", "has_not"),
    [
        (ARM, {"neon", "dotprod"}, r"\tsdot\tv", r"\tsmull"),
        (ARM, {"neon"}, r"\tfmla\tv", r"\tsdot\t"),
        (X86, {"sse2", "f16c", "fma", "avx", "avx2"}, r"\tvpmaddubsw\t", r"\tvpdpbusd\t"),
    ],
    ids=["ARM with dot products", "ARM without", "x86 with AVX2"],
)
def test_the_whole_decoder_is_made_of_a_cpu_s_own_instructions(
    triple: str, features: set[str], has: str, has_not: str
) -> None:
    assert converts_halves(triple, features)
    module = decoder_module(SHAPE, best_dot(features))
    assembly = assembly_for(module, triple, ",".join(f"+{name}" for name in sorted(features)))
    assert re.search(has, assembly) and not re.search(has_not, assembly)
    assert called_from_outside(assembly) == {YIELD}


@pytest.mark.parametrize("named", ["sse2", "sse2 avx"])
def test_a_cpu_without_float16_is_told_apart(named: str) -> None:
    """Such as QEMU's default CPU: what LLVM calls there is in no library of ours."""
    features = set(named.split())
    assert not converts_halves(X86, features)
    module = ir.Module("doubling")
    kernel = Kernel(module, "double", x=POINTER)
    kernel.store((kernel.load(kernel["x"], HALVES).to_floats() * 2.0).to_halves(), kernel["x"])
    kernel.end()
    flags = ",".join(f"+{name}" for name in sorted(features))
    assert called_from_outside(assembly_for(module, X86, flags)) == {"__extendhfsf2", "__truncsfhf2"}
    assert called_from_outside(assembly_for(module, X86, flags + ",+f16c")) == set()


@pytest.mark.parametrize("triple", ["riscv64-unknown-linux-gnu", "powerpc64le-unknown-linux-gnu"])
def test_kernels_are_not_for_processors_that_nobody_tried(triple: str) -> None:
    assert not converts_halves(triple, {"f16c"})
