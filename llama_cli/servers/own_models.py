"""Checks what `--model` names before anything is built or started: a path has to lead to weights, a name has to be that
of a model that comes with us.

Knows how checkpoints look from outside. Reads at most four bytes of them, and loads neither torch nor an adapter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from llama_cli.console import ExitCode, Failure
from runtime import discovery
from runtime.config.home import expanded
from runtime.config.text import is_stream
from runtime.errors import AccessDenied, did_you_mean, nearest, suggestion

_ENGINE = ("inference", "inline::meta-reference")
_KINDS = "a GGUF file, or of a folder with a Hugging Face or Meta checkpoint"


def checked_models(given: Sequence[str]) -> tuple[str, ...]:
    """What `--model` was given, paths made absolute. Raises Failure (USAGE) for what cannot be a model,
    AccessDenied for what is closed to us.

    Symbolic links stay as they are: where they lead, as in a Hugging Face cache, a file may have no name of its own.
    """
    return tuple(_checked(name) for name in given)


def refuse_model(target: str) -> None:
    """Raises Failure (USAGE) where a model stands in the place of what serves it."""
    path = expanded(target)
    is_model = path.suffix == ".gguf" or (path / "config.json").is_file()
    if is_model and path.exists():
        raise Failure(
            f"`{target}` is a model, no distribution",
            hint=f"serve it with `llama stack run starter --model {target}`",
            code=ExitCode.USAGE,
        )


def shipped_models() -> tuple[str, ...]:
    """Models that our own engine finds by name, as its spec states them."""
    stated = discovery.by_type()[_ENGINE].sample_config["model"]
    return (str(stated),)


def _checked(name: str) -> str:
    path = expanded(name)
    if path.is_dir():
        is_checkpoint = any((path / stated).is_file() for stated in ("config.json", "params.json"))
        if not is_checkpoint and not _is_in_hub_cache(path):
            raise _refusal(f"the folder `{name}` holds no checkpoint", hint=_nearest_inside(path))
    elif path.exists():
        _check_file(name, path)
    elif _is_path(name):
        raise _refusal(f"`{name}` does not exist", hint=_nearest_beside(path))
    elif name not in (shipped := shipped_models()):
        raise _refusal(
            f"`{name}` is neither a path nor a model that comes with us",
            hint=did_you_mean(name, [*shipped, *_names_in(Path())])
            or f"`{shipped[0]}` is; or give the path of {_KINDS}",
        )
    else:
        return name
    return os.path.abspath(path)  # noqa: PTH100  # not `resolve`, see above; not `absolute`, which keeps `..` as a name


def _is_in_hub_cache(folder: Path) -> bool:
    """Whether it is a Hugging Face cache, or a model's folder in one: the server knows which snapshot is in use, and
    what to do where none is.
    """
    absolute = folder.absolute()
    is_model = any(part.name.startswith("models--") for part in (absolute, absolute.parent, absolute.parent.parent))
    return is_model or any(any(folder.glob(models)) for models in ("models--*", "hub/models--*"))


def _check_file(name: str, path: Path) -> None:
    if is_stream(str(path)):
        raise _refusal(f"`{name}` is no regular file, and weights are read more than once", hint="save them in one")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except PermissionError as error:
        raise AccessDenied(f"`--model`: you may not read `{name}`", hint="give yourself access") from error
    except OSError as error:
        raise _refusal(f"cannot read `{name}`: {error.strerror}", hint=None) from error
    if magic == b"GGUF":
        return
    folder = path.parent
    if path.suffix in (".safetensors", ".json") and (folder / "config.json").is_file():
        raise _refusal(f"`{name}` is a part of a checkpoint", hint=f"give its folder, `--model {folder}`")
    raise _refusal(f"`{name}` is no GGUF file", hint=f"give the path of {_KINDS}")


def _is_path(name: str) -> bool:
    return "/" in name or os.sep in name or name.startswith("~") or name.endswith(".gguf")


def _nearest_beside(path: Path) -> str:
    found = [str(path.parent / match) for match in nearest(path.name, _names_in(path.parent))]
    return suggestion(found) or f"give the path of {_KINDS}"


def _nearest_inside(folder: Path) -> str:
    found = [str(folder / name) for name in sorted(_names_in(folder)) if name.endswith(".gguf")]
    return suggestion(found[:3]) or "a checkpoint has a config.json (Hugging Face) or a params.json (Meta)"


def _names_in(folder: Path) -> list[str]:
    """Of what could be a model."""
    try:
        return [entry.name for entry in folder.iterdir() if entry.suffix == ".gguf" or entry.is_dir()]
    except OSError:
        return []


def _refusal(message: str, *, hint: str | None) -> Failure:
    return Failure.of_option("--model", message, hint=hint)
