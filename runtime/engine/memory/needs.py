"""The least memory with which a model runs, and the refusal where that is not there: what it needs, what there is, and
the first change with which it would fit. Numbers only; no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from runtime import errors
from runtime.engine.checkpoints.model_config import ModelConfig

DType = Literal["float32", "bfloat16", "fp8", "quantized"]
"""How weights are kept. fp8: float8 with a scale a row in the matrices of layers, else bfloat16. quantized: as kernels
of a CPU read them.
"""
ELEMENT_BYTES: dict[DType, int] = {"float32": 4, "bfloat16": 2, "fp8": 2, "quantized": 2}
"""Of an element of the KV cache, and of a weight unless that is quantised."""

# How a model gets quantised weights on a CPU, and bytes of a weight: blocks of 32 with their scales, as ggml's Q8_0 and
# Q4_1.
_QUANTISED = {"with `dtype: quantized`": 34 / 32, "as a GGUF file in Q4_1": 20 / 32}


class DoesNotFit(errors.Unavailable):
    """A model for which there is not enough memory; nothing of it has been taken.

    missing_bytes: what others would have to free on its device for it to run, with the shortest context.
    """

    code = "model_does_not_fit"

    def __init__(self, message: str, *, missing_bytes: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.missing_bytes = missing_bytes


@dataclass(frozen=True)
class Needs:
    """The least memory, in bytes, with which a model runs. context_tokens: of one sequence, in whole pages. weights: in
    bytes.
    """

    config: ModelConfig
    dtype: DType
    batch_size: int
    step_tokens: int
    context_tokens: int
    weights: int

    @property
    def step(self) -> int:
        # Kernels compute in float32, and activations are rounded to float8 from it.
        width = 4 if self.dtype in ("quantized", "fp8") else ELEMENT_BYTES[self.dtype]
        return _activation_bytes(self.config, self.batch_size, self.step_tokens, width)

    @property
    def context(self) -> int:
        return self.context_tokens * self.config.kv_elements_per_token * ELEMENT_BYTES[self.dtype]

    @property
    def total(self) -> int:
        return self.weights + self.step + self.context

    def refusal(self, place: str, free_bytes: int) -> DoesNotFit:
        """The error where they exceed what is free, with the first change that would make the model fit."""
        return DoesNotFit(
            f"The model needs {size(self.total)}: {size(self.weights)} for weights as {self.dtype},"
            f" {size(self.step)} for a step of {self.batch_size} sequences, {size(self.context)} for"
            f" {self.context_tokens} tokens of context. {place} has {size(free_bytes)} free.",
            hint=self._what_fits(free_bytes, on_cpu=place == "cpu"),
            missing_bytes=max(0, self.weights + self.step - free_bytes),
        )

    def _what_fits(self, free_bytes: int, *, on_cpu: bool) -> str:
        smaller, batch_size = [], self.batch_size
        while batch_size > 1:
            batch_size //= 2
            smaller.append((f"it fits with `max_batch_size: {batch_size}`", replace(self, batch_size=batch_size)))
        if self.dtype == "float32":
            smaller.append(("it fits with `dtype: bfloat16`", self._kept("bfloat16")))
        if on_cpu:
            quantised = {how: int(self.config.parameters * width) for how, width in _QUANTISED.items()}
            smaller += [(f"it fits {how}", self._kept("quantized", weights)) for how, weights in quantised.items()]
        else:
            smaller.append(("it fits with `dtype: fp8`", self._kept("fp8")))
        for words, needs in smaller:
            if needs.total <= free_bytes and needs.total < self.total:
                return words
        kind, width = "Q4_1", min(_QUANTISED.values())
        if not on_cpu:
            kind, width = "fp8", weights_bytes(self.config, "fp8") / self.config.parameters
        fitting = max(0, free_bytes - self.step - self.context) / width
        missing = size(self.total - free_bytes)
        return f"free {missing}, or take a model of at most {fitting / 1e9:.1f} billion parameters in {kind}"

    def _kept(self, dtype: DType, weights: int | None = None) -> Needs:
        """The same model with weights kept otherwise. weights: in bytes; None for what `dtype` says."""
        return replace(self, dtype=dtype, weights=weights or weights_bytes(self.config, dtype))


def weights_bytes(config: ModelConfig, dtype: DType) -> int:
    """What the weights take in memory, where not each tensor of a file is kept in a form of its own."""
    if dtype == "fp8":
        in_matrices = config.layer_matrix_weights
        return in_matrices + 4 * config.layer_matrix_rows + 2 * (config.parameters - in_matrices)
    return config.parameters * ELEMENT_BYTES[dtype]


def _activation_bytes(config: ModelConfig, max_batch_size: int, max_step_tokens: int, width: int) -> int:
    """An upper bound of one step's temporaries: the widest layer outputs, and float32 logits with their copies.

    width: bytes of one element.
    """
    widest = 2 * config.ffn_size + 4 * config.hidden_size + (config.heads + 2 * config.kv_heads) * config.head_dim
    return max_step_tokens * widest * width * 2 + max_batch_size * config.vocab_size * 4 * 4


def size(count: int) -> str:
    """A number of bytes as it is written for people."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
