"""Our engine on a GPU in a child process, through its public classes, and how fast the GPU copies its own memory.

Run by `child.py` with the path of the weights, a device and a dtype.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import torch

from runtime.engine.engine import Engine
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.options import EngineOptions
from scripts.bench.engine.in_process.child import serve

_COPIED_BYTES, _COPIES = 2**30, 20
_STEP_TOKENS = 8192
_BEFORE, _COUNTED = 8, 64
"""Steps in which all sequences decode: those before the clock starts, and those that are counted."""
_ROOM = 512
"""Tokens that the first sequences may have decoded when the last is prefilled, and those that are counted."""


class _OursOnGpu:
    def __init__(self, weights: Path, device: str, dtype: str) -> None:
        self._weights, self._device, self._dtype = weights, device, dtype
        self._loop = asyncio.new_event_loop()
        self._random = random.Random(1)
        self._engine: Engine | None = None

    def device(self) -> Mapping[str, Any]:
        """Its name, and the bytes a second that it reads and writes in a copy; None both where there is none."""
        if not torch.cuda.is_available():
            return {"name": None, "copied_bytes_a_s": None}
        source = torch.empty(_COPIED_BYTES, dtype=torch.uint8, device="cuda")
        target = torch.empty_like(source)
        target.copy_(source)
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(_COPIES):
            target.copy_(source)
        torch.cuda.synchronize()
        speed = 2 * _COPIED_BYTES * _COPIES / (time.perf_counter() - began)
        del source, target
        torch.cuda.empty_cache()
        return {"name": torch.cuda.get_device_name(), "copied_bytes_a_s": speed}

    def load(self, batch: int, context: int) -> Mapping[str, Any]:
        """Load the model for so many sequences. weights_bytes: what a step reads of them."""
        options = EngineOptions(
            model=self._weights,
            device=self._device,
            dtype=self._dtype,
            max_batch_size=batch,
            max_step_tokens=max(batch, _STEP_TOKENS),
            max_context_tokens=context + _ROOM,
            speculative_tokens=0,
        )
        self._engine = Engine(options)
        self._loop.run_until_complete(self._engine.start())
        config, width = self._engine.config, 4 if self._engine.plan.dtype == "float32" else 2
        # A step takes a row a token of the table of embeddings, unless that is the head too.
        unread = 0 if config.is_tied else config.vocab_size * config.hidden_size * width
        return {
            "dtype": self._engine.plan.dtype,
            "weights_bytes": self._engine.plan.weights_bytes - unread,
            "cache_bytes_a_token": config.kv_elements_per_token * width,
        }

    def decode(self, batch: int, context: int) -> Mapping[str, Any]:
        """Tokens a second while `batch` sequences of about `context` tokens decode and nothing else runs."""
        return {"tokens_a_s": self._loop.run_until_complete(self._decode(batch, context))}

    def close(self) -> None:
        if self._engine is not None:
            self._loop.run_until_complete(self._engine.stop())
        self._loop.close()

    async def _decode(self, batch: int, context: int) -> float:
        assert self._engine is not None, "`load` comes first"
        engine, vocab = self._engine, self._engine.config.vocab_size
        counts = [0] * batch
        marks: list[tuple[float, int]] = []  # when all have decoded `_BEFORE` tokens, and `_COUNTED` more
        done = asyncio.Event()
        preempted = engine.stats().preemptions
        prompt_tokens = min(context, engine.plan.context_tokens - _ROOM) - _COUNTED // 2

        async def read(number: int) -> None:
            prompt = [self._random.randrange(vocab) for _ in range(prompt_tokens)]
            params = SamplingParams(temperature=0, ignore_eos=True)
            async with aclosing(engine.generate(prompt, params)) as stream:
                async for _ in stream:
                    counts[number] += 1
                    least = _BEFORE + (_COUNTED if marks else 0)
                    if counts[number] == least and min(counts) == least:
                        marks.append((time.perf_counter(), sum(counts)))
                    if len(marks) == 2:
                        done.set()
                        return
            raise RuntimeError(f"a sequence ended after {counts[number]} tokens, before all had decoded enough")

        readers = [asyncio.create_task(read(number)) for number in range(batch)]
        ended = asyncio.create_task(done.wait())
        try:
            await asyncio.wait([ended, *readers], return_when=asyncio.FIRST_COMPLETED)
            for reader in readers:
                if reader.done():
                    reader.result()
        finally:
            for task in (ended, *readers):
                task.cancel()
            await asyncio.gather(ended, *readers, return_exceptions=True)
        if engine.stats().preemptions > preempted:
            raise RuntimeError("sequences were preempted: the cache is too small for this batch and context")
        (began, before), (end, after) = marks
        return (after - before) / (end - began)


if __name__ == "__main__":
    ours = _OursOnGpu(Path(sys.argv[1]), *sys.argv[2:])
    try:
        serve({"device": ours.device, "load": ours.load, "decode": ours.decode})
    finally:
        ours.close()
