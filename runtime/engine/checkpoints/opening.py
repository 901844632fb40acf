"""Checkpoints of three kinds behind one face: their shape as a `ModelConfig`, their weights by our names.

    a GGUF file                 model.gguf                                              gguf.py
    a Hugging Face folder       config.json + *.safetensors (one, or several)           hugging_face.py
    a Meta folder               params.json + consolidated.*.pth (one, or several)      meta.py

Knows files and layouts; not devices or working dtypes. Only the folders' kinds import torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runtime.engine.checkpoints.gguf import GGUFCheckpoint
from runtime.engine.checkpoints.kinds import locate
from runtime.engine.checkpoints.model_config import ModelConfig

if TYPE_CHECKING:
    from torch import Tensor


class Checkpoint(Protocol):
    """path: the file or folder. config: read and checked when the checkpoint was opened."""

    path: Path
    config: ModelConfig

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Each weight by our name, one in memory at a time: [outputs, inputs], a norm's [hidden_size].

        They have the dtype of the file; quantised ones are float32. Raises CheckpointInvalid, naming file and tensor,
        for one that cannot be read or that we have no name for.
        """
        ...


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Recognise and open a checkpoint; tensors are only read by `weights`.

    Raises CheckpointInvalid where there is none, it is damaged, or of a kind or an architecture that we do not run.
    """
    path = locate(Path(path))
    if path.is_file():
        return GGUFCheckpoint(path)
    from runtime.engine.checkpoints.hugging_face import HuggingFaceCheckpoint
    from runtime.engine.checkpoints.meta import MetaCheckpoint

    has_both = (path / "config.json").is_file() and any(path.glob("*.safetensors"))
    is_meta = (path / "params.json").is_file() and not has_both
    return MetaCheckpoint(path) if is_meta else HuggingFaceCheckpoint(path)
