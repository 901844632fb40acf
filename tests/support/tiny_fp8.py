"""Tiny models with weights in float8 that compute in float32, so that what they give can be told to the last digits."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.layers.fp8 import Fp8Linear, Product, decoded
from runtime.engine.models.llama import Llama
from runtime.engine.running.torch_runner import TorchRunner
from tests.support.tiny_llama import load_runner


def fp8_runner(path: Path, product: Product = decoded) -> TorchRunner:
    """On the CPU, as `load_runner` makes it, but for the weights of layers."""
    runner = load_runner(path)
    linear = partial(Fp8Linear, product=product)
    with torch.inference_mode():
        runner.model = Llama(
            runner.config, context_tokens=runner.plan.context_tokens, dtype=torch.float32, linear=linear
        )
        runner.model.load(open_checkpoint(path).weights(), path)
    return runner


def in_float8(weight: Tensor) -> Tensor:
    """A matrix rounded slowly and obviously: to the nearest of all float8 numbers, times the row's largest magnitude by
    448. [outputs, inputs], float64.
    """
    numbers = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).double()
    numbers = numbers[numbers.isfinite()].unique()
    rows = []
    for row in weight.double():
        step = float(row.abs().max()) / 448
        nearest = (row[:, None] / (step or 1) - numbers).abs().argmin(dim=1)
        rows.append(numbers[nearest] * step)
    return torch.stack(rows)


def layers_in_float8(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a model by our names, as one in float8 computes with them."""
    return {
        name: in_float8(weight) if name.startswith("layers.") and weight.dim() == 2 else weight
        for name, weight in weights.items()
    }
