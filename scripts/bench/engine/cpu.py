"""What this machine's processor can do, as the kernel tells it."""

from __future__ import annotations

from pathlib import Path


def cpu_flags() -> frozenset[str]:
    """The names of its instruction sets, as in /proc/cpuinfo: `avx512_vnni`, on ARM `asimddp`."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(rest.split())
    return frozenset()


def has_bf16() -> bool:
    """Whether it multiplies bfloat16 in hardware."""
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"})
