"""The options of an engine. No torch, no side effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime import errors

PROMPT_TOKENS_EACH = 512
# Measured on SmolLM2-135M and one core, by kernels and by torch: chunks of 128 cost 0 and 4 % more than chunks of 512
# and stall others a quarter as long; chunks of 64 cost 7 and 18 % more.
_CPU_CHUNK_TOKENS = 128


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """model: a GGUF file, or a folder with a Hugging Face or Meta checkpoint.

    device, dtype, kv_cache_bytes: see `memory_plan.plan_memory`. max_batch_size: sequences computed together.
    max_context_tokens: prompt and completion of one sequence; None for as many as the model was trained on.
    max_step_tokens: tokens computed in one step. prefill_chunk_tokens: tokens of prompts in a step that also decodes;
    more uses the machine better, but the streams of the others wait longer; None for what suits the device.
    prefix_cache_tokens: of sequences that have ended, whose keys and values later ones may find; 0 for none, None for
    two full contexts or 16,384 on the CPU, whose memory other programs need too, and the whole pool on a GPU.
    speculative_tokens: that are guessed in a step, for all its sequences together; 0 for none, None for what suits the
    way of computing.
    max_waiting: sequences that may wait besides those that run, with `PROMPT_TOKENS_EACH` prompt tokens for each on
    average. threads: on the CPU; None for one a core, fewer for small models. split_attention: whether a GPU may attend
    a long context in parts, as many as suit the other sequences of the step. name: the model's name in messages; None
    for its file's, which in a Hugging Face cache is a digest. kernels_dir: where compiled kernels are kept; None for
    nowhere. on_progress: called on the engine's thread with the share of the weights that is loaded, from 0 to 1.
    Raises RequestError for impossible numbers.
    """

    model: Path
    device: str = "auto"
    dtype: str = "auto"
    max_batch_size: int = 16
    max_context_tokens: int | None = None
    kv_cache_bytes: int | None = None
    max_step_tokens: int = 512
    prefill_chunk_tokens: int | None = None
    prefix_cache_tokens: int | None = None
    speculative_tokens: int | None = None
    max_waiting: int = 2048
    threads: int | None = None
    split_attention: bool = True
    name: str | None = None
    kernels_dir: Path | None = None
    on_progress: Callable[[float], None] | None = None

    @property
    def model_name(self) -> str:
        return self.name or self.model.name

    def chunk_tokens(self, device: str) -> int:
        """`prefill_chunk_tokens` on a device, in torch's words for it."""
        if self.prefill_chunk_tokens is not None:
            return self.prefill_chunk_tokens
        return _CPU_CHUNK_TOKENS if device == "cpu" else self.max_step_tokens

    def __post_init__(self) -> None:
        for name in (
            "max_batch_size",
            "max_context_tokens",
            "kv_cache_bytes",
            "max_step_tokens",
            "prefill_chunk_tokens",
            "max_waiting",
            "threads",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise errors.RequestError(f"`{name}` is {value}; it must be 1 or more.", param=name)
        for name in ("prefix_cache_tokens", "speculative_tokens"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise errors.RequestError(f"`{name}` is {value}; it must be 0 or more.", param=name)
        if self.max_step_tokens < self.max_batch_size:
            raise errors.RequestError(
                f"`max_step_tokens` is {self.max_step_tokens}, below `max_batch_size`, which is {self.max_batch_size}.",
                param="max_step_tokens",
            )
