"""Checks what `--model` names before anything is built or started: a path has to lead to weights, a name has to be that
of a model that comes with us.

Knows how checkpoints look from outside. Reads at most four bytes of them, and loads neither torch nor an adapter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from llama_cli.console import ExitCode, Failure
from runtime import discovery
from runtime.config.home import expanded
from runtime.config.text import is_stream
from runtime.errors import AccessDenied, did_you_mean, nearest, suggestion

_ENGINE = ("inference", "inline::meta-reference")
_GIVE_A_PATH = "give the path of a GGUF file, or of a folder with a Hugging Face or Meta checkpoint"

_refusal = partial(Failure.of_option, "--model")


def checked_models(given: Sequence[str]) -> tuple[str, ...]:
    """What `--model` was given, paths made absolute. Raises Failure (USAGE) for what cannot be a model,
    AccessDenied for what is closed to us.

    Symbolic links stay as they are: where they lead, as in a Hugging Face cache, a file need not have a name of its
    own.
    """
    return tuple(_checked(name) for name in given)


def refuse_model(target: str) -> None:
    """Raises Failure (USAGE) where a model stands in the place of what serves it."""
    path = expanded(target)
    if (path.suffix == ".gguf" and path.exists()) or (path / "config.json").is_file():
        hint = f"serve it with `llama stack run starter --model {target}`"
        raise Failure(f"`{target}` is a model, no distribution", hint=hint, code=ExitCode.USAGE)


def shipped_models() -> tuple[str, ...]:
    """Models that our own engine finds by name, as its spec states them."""
    return (str(discovery.by_type()[_ENGINE].sample_config["model"]),)


def _checked(name: str) -> str:
    path = expanded(name)
    if path.is_dir():
        _check_folder(name, path)
    elif path.exists():
        _check_file(name, path)
    elif "/" in name or os.sep in name or name.startswith("~") or name.endswith(".gguf"):
        beside = [str(path.parent / match) for match in nearest(path.name, _models_in(path.parent))]
        raise _refusal(f"`{name}` does not exist", hint=suggestion(beside) or _GIVE_A_PATH)
    elif name in (shipped := shipped_models()):
        return name
    else:
        close = did_you_mean(name, [*shipped, *_models_in(Path())])
        message = f"`{name}` is neither a path nor a model that comes with us"
        raise _refusal(message, hint=close or f"`{shipped[0]}` is; or {_GIVE_A_PATH}")
    return os.path.abspath(path)  # noqa: PTH100  # not `resolve`, see above; not `absolute`, which keeps `..` as a name


def _check_folder(name: str, folder: Path) -> None:
    """A checkpoint, or a folder of a Hugging Face cache: there the server knows which snapshot is in use."""
    if any((folder / stated).is_file() for stated in ("config.json", "params.json")):
        return
    absolute = folder.absolute()
    if any(part.name.startswith("models--") for part in (absolute, absolute.parent, absolute.parent.parent)):
        return
    if any(any(folder.glob(models)) for models in ("models--*", "hub/models--*")):
        return
    inside = [str(folder / model) for model in sorted(_models_in(folder)) if model.endswith(".gguf")]
    hint = suggestion(inside[:3]) or "a checkpoint has a config.json (Hugging Face) or a params.json (Meta)"
    raise _refusal(f"the folder `{name}` holds no checkpoint", hint=hint)


def _check_file(name: str, path: Path) -> None:
    if is_stream(str(path)):
        raise _refusal(f"`{name}` is no regular file, and weights are read more than once", hint="save them in one")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except PermissionError as error:
        raise AccessDenied(f"`--model`: you may not read `{name}`", hint="give yourself access") from error
    except OSError as error:
        raise _refusal(f"cannot read `{name}`: {error.strerror}") from error
    if magic == b"GGUF":
        return
    if path.suffix in (".safetensors", ".json") and (path.parent / "config.json").is_file():
        raise _refusal(f"`{name}` is a part of a checkpoint", hint=f"give its folder, `--model {path.parent}`")
    raise _refusal(f"`{name}` is no GGUF file", hint=_GIVE_A_PATH)


def _models_in(folder: Path) -> list[str]:
    """The names in a folder that could be models'."""
    try:
        return [entry.name for entry in folder.iterdir() if entry.suffix == ".gguf" or entry.is_dir()]
    except OSError:
        return []
