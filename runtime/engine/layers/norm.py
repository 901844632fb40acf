"""Root-mean-square normalisation. Knows one vector per token and nothing of the model around it."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the last axis. Zhang and Sennrich 2019, eq. 4.

    x: [tokens, hidden_size], working dtype. Returns the same shape and dtype.
    """

    def __init__(self, size: int, eps: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(size, dtype=dtype), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float32:
            return functional.rms_norm(x, self.weight.shape, self.weight, self.eps)
        # The sum of squares needs float32; the weight is applied in the working dtype, as in Llama's training.
        return functional.rms_norm(x.float(), self.weight.shape, None, self.eps).to(x.dtype) * self.weight
