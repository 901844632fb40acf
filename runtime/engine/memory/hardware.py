"""Measures this machine: free memory, GPUs, bf16 units. What to do with them is decided in `plan.py`.

torch, which takes seconds to import, is asked only where it will compute or where there may be a GPU.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys

from runtime import own_process
from runtime.allowance import memory, usable_cpus
from runtime.engine.memory.plan import Gpu, Hardware

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


def set_torch_threads(threads: int | None) -> None:
    """How many threads torch computes with. None: as many as it takes by itself, but no more than `usable_cpus`; in a
    process that is not ours alone, as many as it computes with.
    """
    import torch

    if threads is not None or own_process.is_ours():
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
    there_is = memory()
    if there_is.free_bytes is not None:
        return there_is.free_bytes
    # The system does not say: half of the memory, and the other half is left to the rest of the machine.
    return (there_is.total_bytes or 0) // 2
