"""What providers that run a model in this process share: finding its weights, and making early requests wait for
them.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Mapping
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

    A path's name is its last part without `.gguf`. what: which kinds of path would do, for the message. Raises
    Unavailable.
    """
    if model in shipped:
        return model, shipped[model].find(model)
    path = Path(model).expanduser()
    if not path.exists():
        raise Unavailable(
            f"`{model}` is neither a path nor a model that comes with this distribution ({', '.join(shipped)})",
            hint=f"give the path of {what}",
            code="weights_not_found",
        )
    # Not through a link: the file behind one in a Hugging Face cache is named by its digest.
    return path.absolute().name.removesuffix(".gguf"), path


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

    async def wait(self) -> None:
        """Returns once the model is there. Raises Unavailable when that takes too long, and what loading raised."""
        if not self._settled.is_set():
            try:
                await asyncio.wait_for(self._settled.wait(), self._limit_s)
            except TimeoutError:
                raise Unavailable(f"Model `{self._model}` is still loading", headers={"retry-after": "5"}) from None
        if self._failure is not None:
            raise self._failure.with_traceback(None)  # else it keeps the frames of every request that it met
