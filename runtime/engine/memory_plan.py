"""Where a model runs, in which dtype, and how many KV pages it gets: decisions from numbers. No torch, no side effects.

`hardware.py` measures; this file decides. So a test can plan for a machine that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runtime import errors
from runtime.engine.model_config import ModelConfig

DType = Literal["float32", "bfloat16"]
DTYPES: dict[str, DType] = {"float32": "float32", "fp32": "float32", "bfloat16": "bfloat16", "bf16": "bfloat16"}
_BYTES: dict[DType, int] = {"float32": 4, "bfloat16": 2}

# Tokens on a page: large pages waste memory at the end of each sequence, small ones need more indices per gather.
_PAGE_TOKENS_CPU = 32
_PAGE_TOKENS_GPU = 16
# A GPU's memory is ours, except for fragments and the library's workspace; main memory is shared with other programs.
_GPU_SHARE = 0.9
_CPU_KV_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One CUDA device. total_bytes, free_bytes: its memory now."""

    name: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What the plan depends on.

    available_bytes: main memory that this process may still take. has_bf16: whether the CPU computes bf16 in hardware.
    """

    available_bytes: int
    has_bf16: bool = False
    gpus: tuple[Gpu, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """Where and how a model runs.

    device: torch's name for it. pages: of the KV pool, the unused page 0 included. context_tokens: the longest
    sequence, prompt and completion together.
    """

    device: str
    dtype: DType
    weights_bytes: int
    page_size: int
    pages: int
    context_tokens: int


def plan_memory(
    config: ModelConfig,
    hardware: Hardware,
    *,
    device: str = "auto",
    dtype: str = "auto",
    max_batch_size: int,
    max_step_tokens: int,
    max_context_tokens: int | None = None,
    kv_cache_bytes: int | None = None,
) -> MemoryPlan:
    """The plan for one model on one machine.

    device: `auto`, `cpu`, `cuda` or `cuda:N`; `auto` takes the GPU with the most free memory that holds the weights.
    dtype: `auto`, `float32` or `bfloat16`; `auto` is bfloat16 on a GPU or a CPU with units for it. kv_cache_bytes: None
    takes what a full batch of full contexts could use, within the memory that is free. A pool too small for one full
    context shortens `context_tokens`.

    Raises Unavailable for a device that is not there or a model that does not fit; RequestError for a device or dtype
    that does not exist.
    """
    if dtype != "auto" and dtype not in DTYPES:
        raise errors.RequestError(f"`{dtype}` is not a dtype.", hint="use auto, float32 or bfloat16", param="dtype")
    number = _gpu(config, hardware, device, dtype)
    on_gpu = number is not None
    working: DType = DTYPES[dtype] if dtype != "auto" else "bfloat16" if on_gpu or hardware.has_bf16 else "float32"
    weights_bytes = config.parameters * _BYTES[working]
    place = f"cuda:{number}" if on_gpu else "cpu"
    free_bytes = int(hardware.gpus[number].free_bytes * _GPU_SHARE) if number is not None else hardware.available_bytes
    left = free_bytes - weights_bytes - _activation_bytes(config, max_batch_size, max_step_tokens, _BYTES[working])
    if left <= 0:
        raise errors.Unavailable(
            f"The weights take {_size(weights_bytes)} as {working}, but {place} has {_size(free_bytes)} free.",
            hint="take a smaller model, or `bfloat16`" if working == "float32" else "take a smaller model",
        )
    page_size = _PAGE_TOKENS_GPU if on_gpu else _PAGE_TOKENS_CPU
    context_tokens = min(config.context_length, max_context_tokens or config.context_length)
    page_bytes = page_size * config.kv_elements_per_token * _BYTES[working]
    wanted = max_batch_size * -(-context_tokens // page_size)
    if kv_cache_bytes is not None:
        fitting = kv_cache_bytes // page_bytes
    else:
        fitting = int(left if on_gpu else left * _CPU_KV_SHARE) // page_bytes
    pages = min(wanted, fitting)
    if pages < 1:
        raise errors.Unavailable(
            f"The KV cache has no room for {page_size} tokens, which take {_size(page_bytes)}.",
            hint="raise `kv_cache_bytes`" if kv_cache_bytes is not None else f"free memory on {place}",
        )
    return MemoryPlan(
        device=place,
        dtype=working,
        weights_bytes=weights_bytes,
        page_size=page_size,
        pages=pages + 1,
        context_tokens=min(context_tokens, pages * page_size),
    )


def kept_pages(plan: MemoryPlan, tokens: int | None) -> int | None:
    """How many free pages keep their content for later sequences; None for all. tokens: the setting; None takes two
    full contexts on the CPU, where the pool takes memory only as it is used, and all on a GPU, which has given it.
    """
    if tokens is None:
        return None if plan.device != "cpu" else 2 * -(-plan.context_tokens // plan.page_size)
    return tokens // plan.page_size


def _gpu(config: ModelConfig, hardware: Hardware, device: str, dtype: str) -> int | None:
    """The number of the GPU to use; None for the CPU."""
    kind, _, number = device.partition(":")
    if device == "cpu":
        return None
    if device == "auto":
        needed = config.parameters * _BYTES[DTYPES.get(dtype, "bfloat16")]
        roomy = [n for n, gpu in enumerate(hardware.gpus) if gpu.free_bytes * _GPU_SHARE > needed]
        return max(roomy, key=lambda n: hardware.gpus[n].free_bytes, default=None)
    if kind != "cuda" or (number and not number.isdecimal()):
        raise errors.RequestError(f"`{device}` is not a device.", hint="use auto, cpu, cuda or cuda:0", param="device")
    if int(number or 0) >= len(hardware.gpus):
        found = f"{len(hardware.gpus)} CUDA devices" if hardware.gpus else "no CUDA device"
        raise errors.Unavailable(
            f"The device is set to `{device}`, but torch sees {found}.", hint="set the device to `auto`"
        )
    return int(number or 0)


def _activation_bytes(config: ModelConfig, max_batch_size: int, max_step_tokens: int, width: int) -> int:
    """An upper bound of one step's temporaries: the widest layer outputs, and float32 logits with their copies.

    width: bytes of one element.
    """
    widest = 2 * config.ffn_size + 4 * config.hidden_size + (config.heads + 2 * config.kv_heads) * config.head_dim
    return max_step_tokens * widest * width * 2 + max_batch_size * config.vocab_size * 4 * 4


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
