"""For providers that run a model in this process: finds its weights, and lets requests wait while they load."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Awaitable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from runtime.context import current
from runtime.errors import StackError, Unavailable


@dataclass(frozen=True)
class Shipped:
    """Weights inside an installed package. path: relative to the package's folder."""

    package: str
    path: str

    def find(self, model: str) -> Path:
        """The path of the weights. The package is not imported, since its own requirements are not installed.

        model: for messages. Raises Unavailable if they are not installed.
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
    """The name under which to serve `model`, and its path. model: one that comes with the distribution, or a path.

    A path's name is its last part without `.gguf`; in a Hugging Face cache it is the repository's. what: the kinds of
    path that are allowed, for messages. Raises Unavailable if there is no such model.
    """
    if model in shipped:
        return model, shipped[model].find(model)
    path = expand_home(model)
    if not path.exists():
        raise Unavailable(
            f"`{model}` is neither a path nor a model that comes with this distribution ({', '.join(shipped)})",
            hint=f"give the path of {what}",
            code="weights_not_found",
        )
    # Links are not followed: in a Hugging Face cache they lead to a file whose name is a digest.
    path = path.absolute()
    return hub_snapshot(path) or (path.name.removesuffix(".gguf"), path)


def expand_home(path: str) -> Path:
    """A path from a user, with `~` expanded; it stays for an unknown user (`Path.expanduser` would raise)."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def hub_snapshot(path: Path) -> tuple[str, Path] | None:
    """The repository's name and the folder with its files, for a path in a Hugging Face cache; None for any other.

    The cache is laid out as `models--ORG--NAME/snapshots/REVISION`, with `refs/main` naming the revision in use:
    https://huggingface.co/docs/huggingface_hub/guides/manage-cache. Raises Unavailable if the path does not
    say which model or snapshot.
    """
    for repository in (path, path.parent, path.parent.parent):
        if repository.name.startswith("models--") and (repository / "snapshots").is_dir():
            break
    else:
        inner = sorted(path.glob("models--*")) or sorted(path.glob("hub/models--*"))
        if inner and not any(path.glob("*.*")):  # a model's own folder may hold a cache beside its files
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
        f"`{path}` contains {len(snapshots)} snapshots of `{name}`, but not the one that `refs/main` names",
        hint="give the path of one snapshot" if snapshots else f"download the model again: `hf download {name}`",
        code="weights_not_found",
    )


class Loading:
    """A model that is being loaded. Requests that arrive earlier wait for it, up to `limit_s` seconds."""

    def __init__(self, model: str, *, limit_s: float) -> None:
        self._model = model
        self._limit_s = limit_s
        self._settled = asyncio.Event()
        self._failure: StackError | None = None

    async def run(self, work: Awaitable[None]) -> None:
        """Load the model by awaiting `work`. Its error is raised here and by every later `wait`."""
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
        """Return once the model is loaded. within: entered while waiting, to limit how many requests wait.

        Raises Unavailable if that takes too long, and the error of loading if that failed.
        """
        if not self._settled.is_set():
            with within or nullcontext(), current().timing:
                try:
                    await asyncio.wait_for(self._settled.wait(), self._limit_s)
                except TimeoutError:
                    raise Unavailable(f"Model `{self._model}` is still loading", headers={"retry-after": "5"}) from None
        if self._failure is not None:
            raise self._failure.with_traceback(None)  # otherwise it keeps the frames of every request that raised it
