"""Where a model runs, in which dtype, and how many KV pages it gets: decisions from numbers. No torch, no side effects.

`hardware.py` measures; this file decides. So a test can plan for a machine that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from runtime import errors
from runtime.engine.model_config import ModelConfig

DType = Literal["float32", "bfloat16", "quantized"]
DTYPES: dict[str, DType] = {"float32": "float32", "fp32": "float32", "bfloat16": "bfloat16", "bf16": "bfloat16"}
_BYTES: dict[DType, int] = {"float32": 4, "bfloat16": 2, "quantized": 2}
"""Of an element of the KV cache, and of a weight unless that is quantised."""

# Kinds of quantised weights that people know, and bytes of a weight: blocks of 32 with their scales, in ggml's formats.
_QUANTISED = {"Q8_0": 34 / 32, "Q4_1": 20 / 32}

# Tokens on a page: large pages waste memory at the end of each sequence, small ones need more indices per gather.
_PAGE_TOKENS_CPU = 32
_PAGE_TOKENS_GPU = 16
# The widest head of flash attention.
_FLASH_HEAD_DIM = 256
# A GPU's memory is ours, except for fragments and the library's workspace; main memory is shared with other programs.
_GPU_SHARE = 0.9
_CPU_KV_SHARE = 0.25


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


class DoesNotFit(errors.Unavailable):
    """A model for which there is not enough memory; nothing of it has been taken.

    missing_bytes: what others would have to free on its device for it to run, with the shortest context.
    """

    code = "model_does_not_fit"

    def __init__(self, message: str, *, missing_bytes: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.missing_bytes = missing_bytes


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
    dtype: `auto`, `float32` or `bfloat16`; `auto` is bfloat16 on a GPU or a CPU with units for it. kv_cache_bytes: None
    takes what a full batch of full contexts could use, within the memory that is free. A pool too small for one full
    context shortens `context_tokens`, but not below `least_context_tokens`. packed_bytes: what quantised weights take
    that stay so, on a CPU; they leave nothing to `device` and `dtype`.

    Raises DoesNotFit, with what would fit; Unavailable for a device that is not there or a KV cache without room for a
    page; RequestError for a device or dtype that does not exist.
    """
    if packed_bytes is None and dtype != "auto" and dtype not in DTYPES:
        raise errors.RequestError(f"`{dtype}` is not a dtype.", hint="use auto, float32 or bfloat16", param="dtype")
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
    needs = _Needs(
        config,
        working,
        max_batch_size,
        max_step_tokens,
        -(-least_tokens // page_size) * page_size,
        weights=packed_bytes if packed_bytes is not None else config.parameters * _BYTES[working],
    )
    if needs.total > free_bytes:
        raise needs.refusal(place, free_bytes)
    page_bytes = page_size * config.kv_elements_per_token * _BYTES[working]
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
    full contexts on the CPU, where the pool takes memory only as it is used, and all on a GPU, which has given it.
    """
    if tokens is None:
        return None if plan.device != "cpu" else 2 * -(-plan.context_tokens // plan.page_size)
    return tokens // plan.page_size


@dataclass(frozen=True)
class _Needs:
    """The least memory, in bytes, with which a model runs. context_tokens: of one sequence, in whole pages. weights: in
    bytes.
    """

    config: ModelConfig
    dtype: DType
    batch_size: int
    step_tokens: int
    context_tokens: int
    weights: int

    @property
    def step(self) -> int:
        width = 4 if self.dtype == "quantized" else _BYTES[self.dtype]  # kernels compute in float32
        return _activation_bytes(self.config, self.batch_size, self.step_tokens, width)

    @property
    def context(self) -> int:
        return self.context_tokens * self.config.kv_elements_per_token * _BYTES[self.dtype]

    @property
    def total(self) -> int:
        return self.weights + self.step + self.context

    def refusal(self, place: str, free_bytes: int) -> DoesNotFit:
        """The error where they exceed what is free, with the first change that would make the model fit."""
        return DoesNotFit(
            f"The model needs {size(self.total)}: {size(self.weights)} for weights as {self.dtype},"
            f" {size(self.step)} for a step of {self.batch_size} sequences, {size(self.context)} for"
            f" {self.context_tokens} tokens of context. {place} has {size(free_bytes)} free.",
            hint=self._what_fits(free_bytes, on_cpu=place == "cpu"),
            missing_bytes=max(0, self.weights + self.step - free_bytes),
        )

    def _what_fits(self, free_bytes: int, *, on_cpu: bool) -> str:
        smaller, batch_size = [], self.batch_size
        while batch_size > 1:
            batch_size //= 2
            smaller.append((f"it fits with `max_batch_size: {batch_size}`", replace(self, batch_size=batch_size)))
        if self.dtype == "float32":
            smaller.append(("it fits with `dtype: bfloat16`", self._stored("bfloat16", _BYTES["bfloat16"])))
        if self.dtype != "quantized" and on_cpu:
            for kind, width in _QUANTISED.items():
                smaller.append((f"it fits as a GGUF file in {kind}", self._stored("quantized", width)))
        for words, needs in smaller:
            if needs.total <= free_bytes:
                return words
        kind, width = list(_QUANTISED.items())[-1] if on_cpu else ("bfloat16", _BYTES["bfloat16"])
        fitting = max(0, free_bytes - self.step - self.context) / width
        missing = size(self.total - free_bytes)
        return f"free {missing}, or take a model of at most {fitting / 1e9:.1f} billion parameters in {kind}"

    def _stored(self, dtype: DType, width: float) -> _Needs:
        """The same model with weights of another kind. width: of one, in bytes."""
        return replace(self, dtype=dtype, weights=int(self.config.parameters * width))


def has_larger_gpu(config: ModelConfig, hardware: Hardware) -> bool:
    """Whether the weights would fit on a GPU if nothing else were on it."""
    needed = config.parameters * _BYTES["bfloat16"]
    return any(gpu.total_bytes * _GPU_SHARE > needed for gpu in hardware.gpus)


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


def _gpu_page_tokens(config: ModelConfig, dtype: DType, gpu: Gpu) -> int:
    """Larger pages only for models that its flash attention can compute."""
    is_flash = dtype == "bfloat16" and config.head_dim % 8 == 0 and config.head_dim <= _FLASH_HEAD_DIM
    return gpu.flash_page_tokens if is_flash and gpu.flash_page_tokens else _PAGE_TOKENS_GPU


def _activation_bytes(config: ModelConfig, max_batch_size: int, max_step_tokens: int, width: int) -> int:
    """An upper bound of one step's temporaries: the widest layer outputs, and float32 logits with their copies.

    width: bytes of one element.
    """
    widest = 2 * config.ffn_size + 4 * config.hidden_size + (config.heads + 2 * config.kv_heads) * config.head_dim
    return max_step_tokens * widest * width * 2 + max_batch_size * config.vocab_size * 4 * 4


def size(count: int) -> str:
    """A number of bytes as it is written for people."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
