"""Whether an encoder fits into memory, from the sizes in its config: before its weights are read. No torch."""

from __future__ import annotations

from runtime.engine.checkpoints.encoder_config import EncoderConfig
from runtime.engine.memory.needs import DoesNotFit, size

_BYTES = 4  # it computes in float32


def encoder_bytes(config: EncoderConfig) -> int:
    """The weights of an encoder in memory."""
    hidden, ffn = config.hidden_size, config.ffn_size
    layer = 4 * hidden * hidden + 2 * hidden * ffn + 9 * hidden + ffn
    tables = (config.vocab_size + config.positions + config.segments + 2) * hidden
    return (config.layers * layer + tables) * _BYTES


def check_encoder_fits(config: EncoderConfig, *, place: str, free_bytes: int, batch_tokens: int) -> None:
    """Raises DoesNotFit, with what it needs and what there is. place: the device; batch_tokens: of a full batch."""
    weights = encoder_bytes(config)
    step = batch_tokens * (2 * config.ffn_size + 8 * config.hidden_size) * _BYTES
    if weights + step > free_bytes:
        missing = weights + step - free_bytes
        raise DoesNotFit(
            f"The model needs {size(weights + step)}: {size(weights)} for weights as float32, {size(step)} for a step"
            f" of {batch_tokens} tokens. {place} has {size(free_bytes)} free.",
            hint=f"free {size(missing)}, or take a smaller model",
            missing_bytes=missing,
        )
