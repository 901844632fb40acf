"""For providers that run a model in this process: lets requests wait while it loads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AbstractContextManager, nullcontext

from runtime.context import current
from runtime.errors import StackError, Unavailable


def forget_frames(error: BaseException | None) -> None:
    """Let an error and what led to it keep nothing of the functions that they were raised in: their variables hold the
    weights of a model, also where these refer to the error in turn.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class Loading:
    """A model that is being loaded. Requests that arrive earlier wait for it, up to `limit_s` seconds.

    failure: why it could not be loaded, in words for those who wait.
    """

    def __init__(self, model: str, *, limit_s: float) -> None:
        self._model = model
        self._limit_s = limit_s
        self._settled = asyncio.Event()
        self.failure: StackError | None = None

    async def run(self, work: Awaitable[None]) -> None:
        """Load the model by awaiting `work`. Its error is raised here and by every later `wait`."""
        try:
            await work
        except StackError as error:
            self.give_up(error)
            raise
        except BaseException as error:
            kind = type(error).__name__
            self.give_up(Unavailable(f"Model `{self._model}` could not be loaded: {kind}; the server's log says why"))
            raise
        finally:
            self._settled.set()

    def give_up(self, error: StackError) -> None:
        """Let everybody who waits have this error; nothing happens where the model is loaded, or has failed to."""
        if not self._settled.is_set():
            self.failure = error.for_another()
            self._settled.set()

    async def wait(self, within: AbstractContextManager[None] | None = None) -> None:
        """Return once the model is loaded. within: entered while waiting, to limit how many requests wait.

        Raises Unavailable if that takes too long, and the error of loading if that failed.
        """
        if not self._settled.is_set():
            with within or nullcontext(), current().timing:
                try:
                    async with asyncio.timeout(self._limit_s):
                        await self._settled.wait()
                except TimeoutError:
                    raise Unavailable(f"Model `{self._model}` is still loading", headers={"retry-after": "5"}) from None
        if self.failure is not None:
            raise self.failure.for_another()
