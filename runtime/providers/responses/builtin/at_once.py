"""The calls of one turn that are run here, several at once. Knows no model, and not what the tools do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.offering import ToRun
from runtime.telemetry.tool_calls import called


async def run_calls(
    calls: Sequence[ToRun], answering: Answering, *, most: int
) -> AsyncGenerator[tuple[int, str], None]:
    """What their tools yield as it comes, each with the place of its call. most: how many run at once.

    A call begins when the one before it has yielded something: so their items are in the output in the calls' order.
    The first failure ends the others, and is raised; closing it ends them all.
    """
    news: asyncio.Queue[tuple[int, str | BaseException | None]] = asyncio.Queue()

    async def run(place: int) -> None:
        end: BaseException | None = None
        call, tool = calls[place].call, calls[place].tool
        try:
            with called(call.name, call.id, tool.type):
                async with contextlib.aclosing(tool.run(call, answering)) as running:
                    async for words in running:
                        news.put_nowait((place, words))
        except BaseException as error:  # a cancellation too that did not come from here: whoever waits would wait on
            end = error
        news.put_nowait((place, end))

    tasks: list[asyncio.Task[None]] = []
    heard = ended = 0  # of how many calls there was something, and the end
    try:
        while ended < len(calls):
            if heard == len(tasks) < min(len(calls), ended + most):
                tasks.append(asyncio.create_task(run(len(tasks))))
            place, said = await news.get()
            heard = max(heard, place + 1)
            if isinstance(said, BaseException):
                raise said
            if said is None:
                ended += 1
            else:
                yield place, said
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
