"""What a model takes beside the others of this process, from its files' headers: before anything of it is loaded.

May import torch: not for an event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.engine.memory.needs import DoesNotFit
from runtime.engine.memory.plan import has_larger_gpu
from runtime.engine.running.options import EngineOptions

if TYPE_CHECKING:
    from runtime.engine.running.loading import Planned

LEAST_CONTEXT_TOKENS = 4096
"""What a model needs to be useful: for this, others are unloaded."""


def plan_beside(options: EngineOptions, *, promised_bytes: int, may_shrink: bool) -> Planned:
    """A model, opened, and its plan a model beside others.

    promised_bytes: main memory that others may still take: a KV cache takes it only when it is written. may_shrink: the
    model takes what is left; else it needs a useful context, and a GPU where it would have one without the others.
    Raises DoesNotFit, and else what `plan_model` raises; nothing is allocated.
    """
    from runtime.engine.memory.hardware import probe_hardware
    from runtime.engine.running.loading import plan_model

    least = 1 if may_shrink else LEAST_CONTEXT_TOKENS
    planned = plan_model(options, promised_bytes=promised_bytes, least_context_tokens=least)
    is_cpu = planned.plan.device == "cpu" and options.device == "auto" and not planned.is_packed
    if not may_shrink and is_cpu and has_larger_gpu(planned.checkpoint.config, probe_hardware(), options.dtype):
        raise DoesNotFit("Other models are on the GPU.", missing_bytes=0)
    return planned
