"""Matrix products without bias; several of one input are fused. Knows shapes of weights, not what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class Destination(Protocol):
    """Where a weight of a checkpoint goes: a tensor, or what keeps it in another form."""

    def copy_(self, weight: Tensor, /) -> object:
        """Take the weight's values. weight: [outputs, inputs] or [size], as this place has it; any dtype and device."""


class Linear(nn.Module):
    """x @ weight.T for one or several outputs side by side.

    x: [tokens, inputs]; returns [tokens, sum(outputs)], in x's dtype, which is the weight's. One product for all parts
    reads the input once.
    """

    def __init__(self, inputs: int, outputs: Sequence[int], dtype: torch.dtype) -> None:
        super().__init__()
        self.outputs = tuple(outputs)
        self.weight = nn.Parameter(torch.empty(sum(self.outputs), inputs, dtype=dtype), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight)

    def parts(self) -> tuple[Destination, ...]:
        """Where the weight of each output goes, [output, inputs]: views of the fused weight."""
        return torch.split(self.weight.data, list(self.outputs))
