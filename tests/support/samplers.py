"""All samplers behind one signature, since what one does the other does too."""

from __future__ import annotations

from collections.abc import Callable

import torch

from runtime.engine.sampling import numpy_rows as sampler_cpu
from runtime.engine.sampling import torch_batched as sampler_batched
from runtime.engine.sampling import torch_rows as sampler
from runtime.engine.sampling.sampled import Sampled
from runtime.engine.scheduling.sequence import Sequence

Sample = Callable[[torch.Tensor, list[Sequence]], list[Sampled]]

SAMPLERS: dict[str, Sample] = {
    "torch": sampler.sample,
    "batched": lambda logits, sequences: sampler.sample(
        logits, sequences, lambda *given: sampler_batched.choose(*given).tolist()
    ),
    "numpy": lambda logits, sequences: sampler_cpu.sample(logits.numpy(), sequences),
}
