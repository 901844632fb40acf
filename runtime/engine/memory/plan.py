"""Where a model runs, in which dtype, and how many KV pages it gets: decisions from numbers. No torch, no side effects.

`hardware.py` measures; this file decides. So a test can plan for a machine that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtime import errors
from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.memory.needs import ELEMENT_BYTES, DoesNotFit, DType, Needs, size, weights_bytes

DTYPES: dict[str, DType] = {
    "float32": "float32",
    "fp32": "float32",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "fp8": "fp8",
    "fp8_mixed": "fp8",  # llama-stack's name
}
"""How weights are kept where torch computes, by every name for it."""
# Tokens on a page: large pages waste memory at the end of each sequence, small ones need more indices per gather.
_PAGE_TOKENS_CPU = 32
_PAGE_TOKENS_GPU = 16
# The widest head of flash attention.
_FLASH_HEAD_DIM = 256
# A GPU's memory is ours, except for fragments and the library's workspace; main memory is shared with other programs.
_GPU_SHARE = 0.9
_CPU_KV_SHARE = 0.25
_KEPT_TOKENS_CPU = 16_384


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One CUDA device. total_bytes, free_bytes: its memory now. flash_page_tokens: of the pages that its flash
    attention reads; None where it reads any.
    """

    name: str
    total_bytes: int
    free_bytes: int
    flash_page_tokens: int | None = None


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

    device: torch's name for it. pages: of the KV pool, the unused page 0 included; kv_bytes: what they take once all
    were written. context_tokens: the longest sequence, prompt and completion together. On a GPU, for `fit_pool`:
    most_pages, that are of use; free_bytes, of the device before anything was taken.
    """

    device: str
    dtype: DType
    weights_bytes: int
    page_size: int
    pages: int
    context_tokens: int
    kv_bytes: int = 0
    most_pages: int = 0
    free_bytes: int = 0


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
    least_context_tokens: int = 1,
    packed_bytes: int | None = None,
) -> MemoryPlan:
    """The plan for one model on one machine.

    device: `auto`, `cpu`, `cuda` or `cuda:N`; `auto` takes the GPU with the most free memory that holds the weights.
    dtype: `auto` or one of `DTYPES`; `auto` is bfloat16 on a GPU or a CPU with units for it. kv_cache_bytes: None takes
    what a full batch of full contexts could use, within the memory that is free. A pool too small for one full
    context shortens `context_tokens`, but not below `least_context_tokens`. packed_bytes: what quantised weights take
    that stay so, on a CPU; they leave nothing to `device` and `dtype`.

    Raises DoesNotFit, with what would fit; Unavailable for a device that is not there or a KV cache without room for a
    page; RequestError for a device or dtype that does not exist.
    """
    if packed_bytes is None:
        check_dtype(dtype)
    number = _gpu(config, hardware, device, dtype) if packed_bytes is None else None
    on_gpu = number is not None
    working: DType = "bfloat16" if on_gpu or hardware.has_bf16 else "float32"
    if packed_bytes is not None:
        working = "quantized"
    elif dtype != "auto":
        working = DTYPES[dtype]
    place = f"cuda:{number}" if on_gpu else "cpu"
    free_bytes = int(hardware.gpus[number].free_bytes * _GPU_SHARE) if number is not None else hardware.available_bytes
    page_size = _PAGE_TOKENS_CPU if number is None else _gpu_page_tokens(config, working, hardware.gpus[number])
    context_tokens = min(config.context_length, max_context_tokens or config.context_length)
    least_tokens = min(least_context_tokens, context_tokens)
    needs = Needs(
        config,
        working,
        max_batch_size,
        max_step_tokens,
        -(-least_tokens // page_size) * page_size,
        weights=packed_bytes if packed_bytes is not None else weights_bytes(config, working),
    )
    if needs.total > free_bytes:
        raise needs.refusal(place, free_bytes)
    page_bytes = page_size * config.kv_elements_per_token * ELEMENT_BYTES[working]
    left = free_bytes - needs.weights - needs.step
    room = (
        max(left if on_gpu else int(left * _CPU_KV_SHARE), needs.context) if kv_cache_bytes is None else kv_cache_bytes
    )
    most_pages = max_batch_size * -(-context_tokens // page_size)
    if kv_cache_bytes is not None:
        most_pages = min(most_pages, kv_cache_bytes // page_bytes)
    pages = min(most_pages, room // page_bytes)
    if pages < 1:
        raise errors.Unavailable(
            f"The KV cache has no room for {page_size} tokens, which take {size(page_bytes)}.",
            hint="raise `kv_cache_bytes`",
        )
    if pages * page_bytes > left:
        raise DoesNotFit(
            f"The KV cache is set to {size(pages * page_bytes)}; beside the weights, {place} has {size(left)} free.",
            hint=f"set `kv_cache_bytes` to {left // page_bytes * page_bytes} or less, or leave it out",
            missing_bytes=pages * page_bytes - left,
        )
    return MemoryPlan(
        device=place,
        dtype=working,
        weights_bytes=needs.weights,
        page_size=page_size,
        pages=pages + 1,
        context_tokens=min(context_tokens, pages * page_size),
        kv_bytes=(pages + 1) * page_bytes,
        most_pages=most_pages + 1 if on_gpu else 0,
        free_bytes=hardware.gpus[number].free_bytes if number is not None else 0,
    )


def fit_pool(plan: MemoryPlan, *, taken_bytes: int, step_bytes: int) -> MemoryPlan:
    """A GPU's plan with the pages that there is room for, now that it is known what everything else takes.

    taken_bytes: of the device since the plan was made, the weights among them, without a pool. step_bytes: what steps
    take at most. The context can become shorter, not longer. Raises DoesNotFit where there is no room for a page.
    """
    page_bytes = plan.kv_bytes // plan.pages
    room = int(plan.free_bytes * _GPU_SHARE) - taken_bytes - step_bytes
    pages = min(plan.most_pages, room // page_bytes)
    if pages < 2:
        raise DoesNotFit(
            f"{plan.device} had {size(plan.free_bytes)} free; the model takes {size(taken_bytes)} of it and a step"
            f" {size(step_bytes)}, which leaves no room for {plan.page_size} tokens of context.",
            hint="set `max_step_tokens` or `max_batch_size` lower, or free memory on the device",
            missing_bytes=2 * page_bytes - room,
        )
    return replace(
        plan,
        pages=pages,
        context_tokens=min(plan.context_tokens, (pages - 1) * plan.page_size),
        kv_bytes=pages * page_bytes,
    )


def kept_pages(plan: MemoryPlan, tokens: int | None) -> int | None:
    """How many free pages keep their content for later sequences; None for all. tokens: the setting; None takes two
    full contexts or 16,384 tokens on the CPU, where the pool takes memory only as it is used, and all on a GPU, which
    has given it.
    """
    if tokens is None and plan.device != "cpu":
        return None
    return (min(2 * plan.context_tokens, _KEPT_TOKENS_CPU) if tokens is None else tokens) // plan.page_size


def check_dtype(dtype: str) -> None:
    """Raises RequestError for a setting that is not `auto`, `quantized` or one of `DTYPES`."""
    if dtype in ("auto", "quantized", *DTYPES):
        return
    hint = "use auto, float32, bfloat16, fp8 or quantized"
    if dtype.startswith("int4"):
        hint = "use fp8 for weights of 8 bits, or a GGUF file in Q4_1 or Q4_K, whose 4 bits stay so on a CPU"
        raise errors.RequestError(f"`{dtype}`, weights of 4 bits, is not computed.", hint=hint, param="dtype")
    raise errors.RequestError(f"`{dtype}` is not a dtype.", hint=hint, param="dtype")


def has_larger_gpu(config: ModelConfig, hardware: Hardware, dtype: str) -> bool:
    """Whether the weights would fit on a GPU if nothing else were on it. dtype: as for `plan_memory`."""
    needed = _gpu_bytes(config, dtype)
    return any(gpu.total_bytes * _GPU_SHARE > needed for gpu in hardware.gpus)


def _gpu(config: ModelConfig, hardware: Hardware, device: str, dtype: str) -> int | None:
    """The number of the GPU to use; None for the CPU."""
    if device == "auto":
        needed = _gpu_bytes(config, dtype)
        roomy = [n for n, gpu in enumerate(hardware.gpus) if gpu.free_bytes * _GPU_SHARE > needed]
        return max(roomy, key=lambda n: hardware.gpus[n].free_bytes, default=None)
    return gpu_number(device, hardware)


def _gpu_bytes(config: ModelConfig, dtype: str) -> int:
    """What the weights take on a GPU. dtype: as for `plan_memory`."""
    return weights_bytes(config, DTYPES.get(dtype, "bfloat16"))


def gpu_number(device: str, hardware: Hardware) -> int | None:
    """The number of the GPU that `device` names; None for the CPU. Raises RequestError for what is not a device,
    Unavailable for one that is not there.
    """
    if device == "cpu":
        return None
    kind, _, number = device.partition(":")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise errors.RequestError(f"`{device}` is not a device.", hint="use auto, cpu, cuda or cuda:0", param="device")
    if int(number or 0) >= len(hardware.gpus):
        found = f"{len(hardware.gpus)} CUDA devices" if hardware.gpus else "no CUDA device"
        raise errors.Unavailable(
            f"The device is set to `{device}`, but torch sees {found}.", hint="set the device to `auto`"
        )
    return int(number or 0)


def _gpu_page_tokens(config: ModelConfig, dtype: DType, gpu: Gpu) -> int:
    """Larger pages only for models that its flash attention can compute."""
    is_flash = dtype != "float32" and config.head_dim % 8 == 0 and config.head_dim <= _FLASH_HEAD_DIM
    return gpu.flash_page_tokens if is_flash and gpu.flash_page_tokens else _PAGE_TOKENS_GPU
