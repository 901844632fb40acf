"""The workers on the cluster, for the process that is its client: each is replaced when it is lost.

Ray's calls wait, so they are made in threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayError, RayTaskError

from runtime.providers._vendors.ray import worker as on_the_cluster
from runtime.providers._vendors.ray.messages import Answered, Ask, Settings, Workers

_AGAIN_S = 5.0
"""How long a place whose worker does not start is left alone."""
_WORDS = 600


@dataclass(kw_only=True, eq=False)
class _Worker:
    """actor: Ray's handle of it. at: where it runs, `machine:pid`. asked: how many requests it has now. lost: set when
    it cannot be asked any more.
    """

    actor: Any
    at: str
    asked: int = 0
    lost: asyncio.Event = field(default_factory=asyncio.Event)


class Pool:
    """said: called with those that there are, whenever it changes."""

    def __init__(self, settings: Settings, said: Callable[[Workers], None]) -> None:
        self._settings = settings
        self._said = said
        self._workers: list[_Worker] = []
        self._some = asyncio.Event()

    async def keep_one(self) -> None:
        """Have a worker in one of the places, for ever. Raises ConnectionError when the cluster is lost."""
        while True:
            try:
                actor = await asyncio.to_thread(self._new)
                worker = _Worker(actor=actor, at=await _result(await asyncio.to_thread(actor.ready.remote)))
            except RayError as error:
                self._tell(words(error))
                await asyncio.sleep(_AGAIN_S)
                continue
            self._workers.append(worker)
            self._tell()
            await worker.lost.wait()
            self._workers.remove(worker)
            self._tell()
            await asyncio.to_thread(ray.kill, worker.actor)

    async def ask(self, asked: Ask) -> Answered:
        """What the worker with the fewest requests answers, once there is one. Raises ConnectionError when the cluster
        is lost.
        """
        while not self._workers:
            await self._some.wait()
        worker = min(self._workers, key=lambda one: one.asked)
        worker.asked += 1
        sent = asyncio.create_task(asyncio.to_thread(worker.actor.ask.remote, asked.path, asked.body))
        try:
            outcome, status, headers, body = await _result(await asyncio.shield(sent))
        except asyncio.CancelledError:
            sent.add_done_callback(_leave)
            raise
        except RayTaskError as error:
            return Answered(number=asked.number, outcome="failed", body=words(error).encode())
        except RayError as error:
            worker.lost.set()
            return Answered(number=asked.number, outcome="lost", body=words(error).encode())
        finally:
            worker.asked -= 1
        return Answered(number=asked.number, outcome=outcome, status=status, headers=headers, body=body)

    def _new(self) -> Any:
        """A handle of a worker that Ray is about to start."""
        cloudpickle.register_pickle_by_value(on_the_cluster)  # type: ignore[no-untyped-call,unused-ignore]
        settings, resources = self._settings, dict(self._settings.resources)
        actor_of: Any = ray.remote  # its types know no `max_concurrency`
        kind = actor_of(
            num_cpus=settings.cpus,
            num_gpus=resources.pop("GPU", 0),
            resources=resources,
            scheduling_strategy="SPREAD",
            max_restarts=0,  # one that Ray starts again refuses what it is asked meanwhile
            max_concurrency=settings.at_once + 1,
        )(on_the_cluster.Worker)
        return kind.remote(settings.base_url, settings.headers, timeout_s=settings.timeout_s, at_once=settings.at_once)

    def _tell(self, trouble: str | None = None) -> None:
        if self._workers:
            self._some.set()
        else:
            self._some.clear()
        self._said(Workers(at=tuple(worker.at for worker in self._workers), trouble=trouble))


def words(error: BaseException) -> str:
    """The last of what Ray says, where the cause is; of a traceback the last line."""
    text = str(error).strip() or type(error).__name__
    said = " ".join((text.splitlines()[-1] if "Traceback (most" in text else text).split())
    return said if len(said) <= _WORDS else f"... {said[-_WORDS:]}"


async def _result(ref: Any) -> Any:
    """What a call of Ray returns or raises. Its own future is not cancelled: the thread that ends it would fail."""
    return await asyncio.shield(asyncio.wrap_future(await asyncio.to_thread(ref.future)))


def _leave(sent: asyncio.Task[Any]) -> None:
    """Have the worker close the connection of a request that nobody waits for any more."""
    if not sent.cancelled() and sent.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, ray.cancel, sent.result())
