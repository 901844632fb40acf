"""What a model would take beside the others of this process, from its files' headers: before anything of it is loaded.

The engine plans again when it loads, from the same numbers. May import torch: not for an event loop.
"""

from __future__ import annotations

from dataclasses import replace

from runtime.engine.memory_plan import MemoryPlan
from runtime.engine.options import EngineOptions

LEAST_CONTEXT_TOKENS = 4096
"""What a model needs to be useful: for this, others are unloaded."""


def plan_beside(options: EngineOptions, *, promised_bytes: int, least_context_tokens: int) -> MemoryPlan:
    """The plan for a model beside others.

    promised_bytes: main memory that others may still take: a KV cache takes it only when it is written.
    least_context_tokens: see `plan_memory`. Raises CheckpointInvalid (as `open_checkpoint`) and what `plan_memory`
    raises; nothing is allocated.
    """
    from runtime.engine.loading import plan_model

    return plan_model(options, promised_bytes=promised_bytes, least_context_tokens=least_context_tokens).plan


def within(options: EngineOptions, plan: MemoryPlan) -> EngineOptions:
    """The options with which the engine comes to the same plan."""
    return replace(
        options,
        device=plan.device,
        dtype=plan.dtype,
        max_context_tokens=plan.context_tokens,
        kv_cache_bytes=plan.kv_bytes - plan.kv_bytes // plan.pages,
    )
