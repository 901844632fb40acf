"""The table of a model's angles, wherever models are made."""

from __future__ import annotations

import torch

from runtime.engine.layers.rope import rotary_table
from tests.support.tiny_llama import tiny_config


def test_the_table_is_computed_where_the_frequencies_are() -> None:
    """A model is made with its device as the usual one, which on a GPU is not that of the frequencies."""
    config, cpu = tiny_config(), torch.device("cpu")
    expected = rotary_table(config, 8, cpu)
    with torch.device("meta"):
        found = rotary_table(config, 8, cpu)
    assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))
