"""What running out of memory looks like, and what to do about it. No torch: its errors are known by their names."""

from __future__ import annotations

from runtime import errors
from runtime.engine.memory.plan import MemoryPlan

# torch has no class of its own for main memory: c10/core/impl/alloc_cpu.cpp.
_CPU_WORDS = "DefaultCPUAllocator: can't allocate memory"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, numpy or torch, on any device, says that memory has run out."""
    if isinstance(error, MemoryError):
        return True
    return any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__) or _CPU_WORDS in str(error)


def out_of_memory_error(model: str, plan: MemoryPlan) -> errors.StackError:
    """For a sequence that does not fit even alone."""
    return errors.Unavailable(
        f"`{model}` ran out of memory on {plan.device} with nothing else running.",
        hint="set `kv_cache_bytes` lower in the provider's config, which leaves more for a step"
        f" (the cache has room for {(plan.pages - 1) * plan.page_size} tokens now), or take a smaller model",
        code="out_of_memory",
    )
