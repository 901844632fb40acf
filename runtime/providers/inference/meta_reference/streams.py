"""The answers of one request while they arrive: several streams as one, and as events of the endpoint's shape. Knows
streams of text; not engines or requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from runtime.engine.text.text_stream import TextOutput, TextStream
from runtime.providers.inference.meta_reference.answers import Shape
from runtime.providers.inference.meta_reference.usage import Usage
from runtime.sse import Frames


async def close_all(streams: list[TextStream]) -> None:
    for stream in streams:
        await stream.aclose()


async def frames(
    streams: list[TextStream], shape: Shape, usage: Usage, *, wants_usage: bool
) -> AsyncGenerator[Frames, None]:
    opened: set[int] = set()
    async with aclosing(merged(streams)) as outputs:
        async for index, output in outputs:
            usage.add(index, output)
            events = shape.chunks(index, output, usage)
            if index not in opened:
                opened.add(index)
                if (opening := shape.opening(index, output)) is not None:
                    events.insert(0, opening)
            if len(usage.ended) == len(streams) and not wants_usage and (timings := usage.timings()) is not None:
                events[-1]["timings"] = timings
            if events:
                yield Frames.of(*events)
    if wants_usage:
        yield Frames.of(shape.usage_chunk(usage))


async def merged(streams: list[TextStream]) -> AsyncGenerator[tuple[int, TextOutput], None]:
    """The outputs of several streams as they arrive, each with its stream's index. Closing it closes them all."""
    if len(streams) == 1:
        try:
            async for output in streams[0]:
                yield 0, output
        finally:
            await streams[0].aclose()
        return
    arrived: asyncio.Queue[tuple[int, TextOutput] | Exception | None] = asyncio.Queue()

    async def pump(index: int, stream: TextStream) -> None:
        try:
            async for output in stream:
                arrived.put_nowait((index, output))
            arrived.put_nowait(None)
        except Exception as error:
            arrived.put_nowait(error)

    tasks = [asyncio.create_task(pump(index, stream)) for index, stream in enumerate(streams)]
    try:
        running = len(tasks)
        while running:
            item = await arrived.get()
            if item is None:
                running -= 1
            elif isinstance(item, Exception):
                raise item
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in streams:
            await stream.aclose()
