"""Measures this machine: free memory, GPUs, bf16 units. What to do with them is decided in `memory_plan.py`.

torch, which takes seconds to import, is asked only where it will compute or where there may be a GPU.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

from runtime.engine.memory_plan import Gpu, Hardware

_CGROUP = Path("/sys/fs/cgroup")
# A container's memory in cgroup version 2 and 1: its limit, what it uses, and the part of that which is file cache.
_CGROUPS = (
    (_CGROUP, "memory.max", "memory.current", "inactive_file"),
    (_CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)

# Flash attention that torch can take in place of its own, by the major compute capability it is for, with the module
# that has it: torch/nn/attention/_fa3.py and _fa4.py. These read pages of any size.
_NEWER_FLASH = {9: ("FA3", "flash_attn_interface"), 10: ("FA4", "flash_attn.cute.interface")}
# torch's own, FlashAttention 2, from Ampere on: "block size must be divisible by 256" in its flash_api.cpp.
_FLASH_MAJOR, _FLASH_PAGE_TOKENS = 8, 256


def probe_hardware(*, with_torch: bool = True) -> Hardware:
    """This machine as it is now: free memory changes. with_torch: False leaves out what only torch knows."""
    if not with_torch:
        return Hardware(available_bytes=_available_bytes())
    return Hardware(available_bytes=_available_bytes(), has_bf16=_has_bf16(), gpus=_gpus())


def may_have_gpu() -> bool:
    """Whether NVIDIA's driver is there, without which torch finds no GPU."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def usable_cpus() -> int:
    """Those that this process may run on, and that its container has the time of: whole ones, at least one."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    count = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    for share in (_share_of_cpus(), _older_share_of_cpus()):
        if share is not None:
            count = min(count, int(share))
    return max(1, count)


def set_torch_threads(threads: int | None) -> None:
    """How many threads torch computes with. None: as many as it takes by itself, but no more than `usable_cpus`."""
    import torch

    torch.set_num_threads(threads or min(torch.get_num_threads(), usable_cpus()))


def give_back_memory() -> None:
    """Return what the allocators keep of what was freed, so that `probe_hardware` sees it. Takes up to 20 ms."""
    torch = sys.modules.get("torch")  # without it nothing was kept on a GPU
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # glibc's; after a large model it kept 300 MB
        trim(0)


def newer_flash_attention(major: int) -> str | None:
    """torch's name for the flash attention that is installed beside it for such a device; None where none is.

    major: of the compute capability.
    """
    name, module = _NEWER_FLASH.get(major, (None, ""))
    try:
        return name if module and importlib.util.find_spec(module) is not None else None
    except ImportError:  # a package above the module is missing or broken
        return None


def flash_page_tokens(major: int) -> int | None:
    """Tokens on a page for the flash attention that reads pages on such a device; None where any page will do.

    major: of the compute capability.
    """
    return _FLASH_PAGE_TOKENS if major >= _FLASH_MAJOR and newer_flash_attention(major) is None else None


def _gpus() -> tuple[Gpu, ...]:
    import torch

    if not torch.cuda.is_available():
        return ()
    found = []
    for number in range(torch.cuda.device_count()):
        free_bytes, total_bytes = torch.cuda.mem_get_info(number)
        found.append(
            Gpu(
                name=torch.cuda.get_device_name(number),
                total_bytes=total_bytes,
                free_bytes=free_bytes,
                flash_page_tokens=flash_page_tokens(torch.cuda.get_device_capability(number)[0]),
            )
        )
    return tuple(found)


def _has_bf16() -> bool:
    """Whether the CPU multiplies bf16 in hardware; emulated, it is several times slower than float32."""
    import torch

    known = getattr(torch.cpu, "get_capabilities", None)  # not in every torch we accept
    capabilities = known() if known else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _available_bytes() -> int:
    available = _meminfo_available()
    if available is None:
        # No /proc: assume half of the installed memory, and leave the other half to the rest of the machine.
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    for folder, limit, usage, cache in _CGROUPS:
        allowed, taken = _number(folder / limit), _number(folder / usage)
        if allowed is not None and taken is not None:
            # The file cache is given up when memory is needed. Counted as taken, it would make a container that has
            # read large files look full.
            reclaimable = _entry(folder / "memory.stat", cache) or 0
            available = min(available, max(0, allowed - taken + reclaimable))
    return available


def _meminfo_available() -> int | None:
    kibibytes = _entry(Path("/proc/meminfo"), "MemAvailable:")
    return None if kibibytes is None else kibibytes * 1024


def _share_of_cpus() -> float | None:
    """How many CPUs' time a container gets, in cgroup version 2: microseconds, or `max`, of a period."""
    try:
        allowed, period = (_CGROUP / "cpu.max").read_text("ascii").split()
        return int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _older_share_of_cpus() -> float | None:
    """The same in version 1, where -1 stands for all."""
    allowed, period = (_number(_CGROUP / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return allowed / period if allowed and period and allowed > 0 else None


def _entry(path: Path, name: str) -> int | None:
    """The number behind `name` in a file of `name number` lines; None where either is missing."""
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(fields[1]) for fields in map(str.split, lines) if fields[:1] == [name]), None)


def _number(path: Path) -> int | None:
    """The number in a file; None where there is no such file or it says `max`."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
