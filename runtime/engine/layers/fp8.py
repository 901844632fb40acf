"""Matrix products with weights of 8 bits: float8 (e4m3) with a scale for each output. Half of what bfloat16 takes.

Two ways compute them, from the same weights:

scaled      a CUDA device with units for float8: activations are rounded to float8 too, with a scale for each token
decoded     anything else: weights are decoded into the activations' dtype, some rows at a time

The format: Micikevicius et al. 2022 (FP8 Formats for Deep Learning), table 1. A float8 is a bfloat16 exactly, and
scales are applied to what comes out: so both ways compute with the same weights.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from runtime.engine.layers.linear import Destination, Linear

log = logging.getLogger(__name__)

FP8 = torch.float8_e4m3fn
_LARGEST = torch.finfo(FP8).max
# Of a row of zeros, whose scale must not be zero.
_LEAST = 2.0**-100
# Weights that are in another form at a time: 8 MB as bfloat16, which caches of larger GPUs hold.
_AT_ONCE = 2**22
# What both sides of a product must be multiples of for `torch._scaled_mm`.
_TILE = 16
# Rounding activations to float8 is off by about 3 %, twice that in an unlucky row; a wrong layout or scale by half and
# more.
_AGREES = 0.2

Product = Callable[[Tensor, Tensor, Tensor], Tensor]
"""x @ weight.T * scales. x: [tokens, inputs]; weight: [outputs, inputs], float8; scales: [1, outputs], float32. Returns
[tokens, outputs], in x's dtype.
"""


def scaled(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    """A `Product` in float8; inputs and outputs are whole tiles. As in `decoded`, a row of x or a scale that is not
    finite shows in what comes out.

    x: [tokens, inputs], float32 or bfloat16; weight: [outputs, inputs], float8; scales: [1, outputs], float32. Returns
    [tokens, outputs], in x's dtype.
    """
    largest = torch.linalg.vector_norm(x, math.inf, dim=1, keepdim=True, dtype=torch.float32)
    steps = largest.clamp(min=_LEAST) / _LARGEST
    return torch._scaled_mm((x / steps).to(FP8), weight.t(), scale_a=steps, scale_b=scales, out_dtype=x.dtype)


def decoded(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    """A `Product` in x's dtype, on any device.

    x: [tokens, inputs]; weight: [outputs, inputs], float8; scales: [1, outputs], float32. Returns [tokens, outputs].
    """
    out = x.new_empty(len(x), len(weight))
    at_once = _rows_at_once(weight)
    for rows, part in zip(torch.split(weight, at_once), torch.split(out, at_once, dim=1), strict=True):
        torch.mm(x, rows.to(x.dtype).t(), out=part)
    return out.mul_(scales)


class Fp8Linear(Linear):
    """As `Linear`, with weights that are rounded to float8 when they arrive.

    weight: [outputs, inputs], float8; scales: [1, outputs], float32; of all outputs together.
    """

    def __init__(self, inputs: int, outputs: Sequence[int], dtype: torch.dtype, product: Product = decoded) -> None:
        """dtype: the working dtype, which x has. product: for whole tiles; others are decoded."""
        super().__init__(inputs, outputs, FP8)
        self.scales = nn.Parameter(torch.empty(1, sum(outputs), dtype=torch.float32), requires_grad=False)
        self.product = decoded if inputs % _TILE or sum(outputs) % _TILE else product

    def forward(self, x: Tensor) -> Tensor:
        """x: [tokens, inputs], in the working dtype. Returns [tokens, outputs] in the same."""
        return self.product(x, self.weight, self.scales)

    def parts(self) -> tuple[Destination, ...]:
        """Where the weight of each output goes, [output, inputs]."""
        counts = list(self.outputs)
        return tuple(map(_Rounded, torch.split(self.weight.data, counts), torch.split(self.scales.data[0], counts)))


class _Rounded:
    """Rows of a weight in float8. rows: [outputs, inputs], float8. scales: [outputs], float32."""

    def __init__(self, rows: Tensor, scales: Tensor) -> None:
        self._rows, self._scales = rows, scales

    def copy_(self, weight: Tensor, /) -> None:
        """Round to the nearest. weight: [outputs, inputs], any dtype. A row that is not finite gets a scale that is
        not.
        """
        at_once = _rows_at_once(weight)
        pieces = (torch.split(all, at_once) for all in (weight, self._rows, self._scales))
        for source, rows, scales in zip(*pieces, strict=True):
            values = source.to(rows.device).float()
            steps = values.abs().amax(dim=1, keepdim=True).clamp(min=_LEAST) / _LARGEST
            rows.copy_(values / steps)
            scales.copy_(steps[:, 0])


def find_product(device: torch.device) -> Product:
    """How weights, [outputs, inputs], float8, are multiplied with bfloat16 on this device: by units for float8, where
    it has them and they are right.
    """
    if device.type != "cuda":
        return decoded
    reason = why_not(scaled, device) if _has_units(device) else "the GPU has no units for float8"
    if reason is None:
        return scaled
    log.warning("weights of 8 bits are decoded in every step, which takes longer", extra={"reason": reason})
    return decoded


def why_not(product: Product, device: torch.device) -> str | None:
    """What a product did wrong for one token or for several, beside decoding; None for nothing.

    Tried on weights [outputs, inputs], float8, with activations [tokens, inputs], bfloat16.
    """
    dice = torch.Generator(device).manual_seed(0)

    def draw(rows: int) -> Tensor:
        """Of various sizes: the last row is a hundred times as large as the first."""
        sizes = torch.logspace(-1, 1, rows, device=device)[:, None]
        return (torch.randn(rows, 8 * _TILE, generator=dice, device=device) * sizes).bfloat16()

    with device:
        linear = Fp8Linear(8 * _TILE, (4 * _TILE, 2 * _TILE), torch.bfloat16)
    for part, outputs in zip(linear.parts(), linear.outputs, strict=True):
        part.copy_(draw(outputs))
    for tokens in (1, _TILE + 1):
        x = draw(tokens)
        expected = linear(x).float()
        try:
            found = product(x, linear.weight, linear.scales).float()
            # Row by row, since the largest would hide what is wrong with the others.
            error = float(((found - expected).norm(dim=1) / expected.norm(dim=1)).max())
        except Exception as failure:  # whatever a product that this build or device lacks raises
            return f"{type(failure).__name__}: {failure}".splitlines()[0]
        if not error < _AGREES:
            return f"it is off by {error:.2g} for {tokens} tokens"
    return None


def _has_units(device: torch.device) -> bool:
    """Of NVIDIA's from Ada on: others have another float8."""
    return torch.version.cuda is not None and torch.cuda.get_device_capability(device) >= (8, 9)


def _rows_at_once(weight: Tensor) -> int:
    """weight: [outputs, inputs], any dtype."""
    return max(1, _AT_ONCE // weight.shape[1])
