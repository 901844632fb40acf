"""What a model would take beside the others of this process, from its files' headers: before anything of it is loaded.

The engine plans again when it loads, from the same numbers. Imports torch, through the files' readers: not for an event
loop.
"""

from __future__ import annotations

from dataclasses import replace

from runtime.engine.memory_plan import MemoryPlan, plan_memory
from runtime.engine.options import EngineOptions

LEAST_CONTEXT_TOKENS = 4096
"""What a model needs to be useful: for this, others are unloaded."""


def plan_beside(options: EngineOptions, *, promised_bytes: int, least_context_tokens: int) -> MemoryPlan:
    """The plan for a model beside others.

    promised_bytes: main memory that others may still take: a KV cache takes it only when it is written.
    least_context_tokens: see `plan_memory`. Raises CheckpointInvalid (as `open_checkpoint`) and what `plan_memory`
    raises; nothing is allocated.
    """
    from runtime.engine.checkpoint import open_checkpoint
    from runtime.engine.hardware import probe_hardware

    hardware = probe_hardware()
    return plan_memory(
        open_checkpoint(options.model).config,
        replace(hardware, available_bytes=max(0, hardware.available_bytes - promised_bytes)),
        device=options.device,
        dtype=options.dtype,
        max_batch_size=options.max_batch_size,
        max_step_tokens=options.max_step_tokens,
        max_context_tokens=options.max_context_tokens,
        kv_cache_bytes=options.kv_cache_bytes,
        least_context_tokens=least_context_tokens,
    )


def within(options: EngineOptions, plan: MemoryPlan) -> EngineOptions:
    """The options with which the engine comes to the same plan."""
    return replace(
        options,
        device=plan.device,
        dtype=plan.dtype,
        max_context_tokens=plan.context_tokens,
        kv_cache_bytes=plan.kv_bytes - plan.kv_bytes // plan.pages,
    )
