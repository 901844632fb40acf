"""What providers that run a model in this process share: finding its weights, and making early requests wait for
them.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Awaitable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import StackError, Unavailable


@dataclass(frozen=True)
class Shipped:
    """Weights that come inside an installed package. path: below the package's folder."""

    package: str
    path: str

    def find(self, model: str) -> Path:
        """Where they lie. The package is looked up, never imported: what it imports is not installed. Raises
        Unavailable.
        """
        found = importlib.util.find_spec(self.package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            if (path := Path(folder) / self.path).exists():
                return path
        raise Unavailable(
            f"the weights of `{model}` are not installed",
            hint="build the distribution again: `llama stack build`",
            code="weights_not_found",
        )


def find_model(model: str, shipped: Mapping[str, Shipped], *, what: str) -> tuple[str, Path]:
    """The name to serve `model` under and where it lies: it comes with the distribution, or is a path.

    A path's name is its last part without `.gguf`, or the repository's in a Hugging Face cache. what: which kinds of
    path would do, for the message. Raises Unavailable.
    """
    if model in shipped:
        return model, shipped[model].find(model)
    path = as_meant(model)
    if not path.exists():
        raise Unavailable(
            f"`{model}` is neither a path nor a model that comes with this distribution ({', '.join(shipped)})",
            hint=f"give the path of {what}",
            code="weights_not_found",
        )
    # Not through a link: the file behind one in a Hugging Face cache is named by its digest.
    path = path.absolute()
    return hub_snapshot(path) or (path.name.removesuffix(".gguf"), path)


def as_meant(path: str) -> Path:
    """A path as a user wrote it; `~name` stays where there is no such user, which `Path.expanduser` raises for."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def hub_snapshot(path: Path) -> tuple[str, Path] | None:
    """The repository's name and the folder with its files, for a folder of a Hugging Face cache; None for any other.

    The cache is laid out as `models--ORG--NAME/snapshots/REVISION`, with `refs/main` naming the revision in use:
    https://huggingface.co/docs/huggingface_hub/guides/manage-cache. Raises Unavailable where the model cannot be told.
    """
    for repository in (path, path.parent, path.parent.parent):
        if repository.name.startswith("models--") and (repository / "snapshots").is_dir():
            break
    else:
        inner = sorted(path.glob("models--*")) or sorted(path.glob("hub/models--*"))
        if inner and not any(path.glob("*.*")):  # a model of its own may have such a folder beside its files
            raise Unavailable(
                f"`{path}` is a whole Hugging Face cache",
                hint=f"name one of its models: {', '.join(f'`{folder}`' for folder in inner[:5])}",
                code="weights_not_found",
            )
        return None
    if path not in (repository, repository / "snapshots") and not (path.is_dir() and path.parent.name == "snapshots"):
        return None
    name = "/".join(repository.name.split("--")[1:])
    if path.parent == repository / "snapshots":
        return name, path
    snapshots = sorted(folder for folder in (repository / "snapshots").iterdir() if folder.is_dir())
    main = repository / "refs" / "main"
    revision = main.read_text(encoding="utf-8", errors="replace").strip() if main.is_file() else None
    for folder in snapshots:
        if folder.name == revision or len(snapshots) == 1:
            return name, folder
    raise Unavailable(
        f"`{path}` holds {len(snapshots)} snapshots of `{name}`, and none that `refs/main` names",
        hint="give the path of one snapshot" if snapshots else f"download the model again: `hf download {name}`",
        code="weights_not_found",
    )


class Loading:
    """A model on its way into memory. Requests that come before it is there wait, up to `limit_s` seconds."""

    def __init__(self, model: str, *, limit_s: float) -> None:
        self._model = model
        self._limit_s = limit_s
        self._settled = asyncio.Event()
        self._failure: StackError | None = None

    async def run(self, work: Awaitable[None]) -> None:
        """Do the loading. Raises what it raises, now and for every request after."""
        try:
            await work
        except StackError as error:
            self._failure = error
            raise
        except BaseException as error:
            kind = type(error).__name__
            self._failure = Unavailable(f"Model `{self._model}` could not be loaded: {kind}; the server's log says why")
            raise
        finally:
            self._settled.set()

    async def wait(self, within: AbstractContextManager[None] | None = None) -> None:
        """Returns once the model is there. within: entered for as long as that takes, to bound how many wait.

        Raises Unavailable when it takes too long, and what loading raised.
        """
        if not self._settled.is_set():
            with within or nullcontext():
                try:
                    await asyncio.wait_for(self._settled.wait(), self._limit_s)
                except TimeoutError:
                    raise Unavailable(f"Model `{self._model}` is still loading", headers={"retry-after": "5"}) from None
        if self._failure is not None:
            raise self._failure.with_traceback(None)  # else it keeps the frames of every request that it met
