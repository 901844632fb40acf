"""One model of our engine in memory, with its tokenizer and chat template: what the pool loads and unloads. Knows no
requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.engine.checkpoints.kinds import locate
from runtime.engine.engine import Engine
from runtime.engine.memory.hardware import give_back_memory
from runtime.engine.memory.needs import DoesNotFit
from runtime.engine.memory.plan import MemoryPlan
from runtime.engine.memory.promised import forget, promise, promised_bytes
from runtime.engine.running.estimate import plan_beside
from runtime.engine.running.options import EngineOptions
from runtime.engine.text.text_model import TextModel
from runtime.providers.inference._pool_members import NoRoom

if TYPE_CHECKING:
    from runtime.engine.running.loading import Planned
    from runtime.engine.text.chat_template import ChatTemplate
    from runtime.engine.text.tokenizer import Tokenizer


class EngineRunner:
    """A model's engine and its text half, which are there between `load` and `unload`."""

    engine: Engine
    text: TextModel
    plan: MemoryPlan

    def __init__(self, options: EngineOptions) -> None:
        # Not a method of its own: in a circle it would keep tokenizer and vocabulary until circles are looked for.
        self._progress: deque[float] = deque(maxlen=1)
        self._options = replace(options, on_progress=self._progress.append)

    @property
    def progress(self) -> float | None:
        return self._progress[-1] if self._progress else None

    async def load(self, *, may_shrink: bool) -> None:
        """Load tokenizer and weights at the same time. may_shrink: the context may be as short as memory makes it.

        Raises NoRoom where it does not fit, and CheckpointInvalid for damaged or unknown files.
        """
        await asyncio.to_thread(locate, self._options.model)  # clearer than a missing tokenizer
        try:
            plan = partial(plan_beside, self._options, promised_bytes=promised_bytes(), may_shrink=may_shrink)
            await self._load([await asyncio.to_thread(plan)])
        except DoesNotFit as error:
            raise NoRoom(
                f"Model `{self._options.model_name}` does not fit into memory: {error.message}",
                hint=error.hint,
                missing_bytes=error.missing_bytes,
            ) from error

    async def _load(self, planned: list[Planned]) -> None:
        """planned: its one plan, which is taken out: the files' tables are not to stay as long as the model."""
        plan = planned[0].plan
        engine = Engine(self._options, plan=lambda _: planned.pop())
        if plan.device == "cpu":
            promise(self, lambda: plan.kv_bytes + int(plan.weights_bytes * (1 - (self.progress or 0))))
        try:
            (tokenizer, template), _ = await asyncio.gather(
                asyncio.to_thread(_read_text, self._options.model), engine.start()
            )
        except BaseException:
            forget(self)
            await engine.stop()  # without a tokenizer the weights are of no use
            raise
        self.engine, self.plan = engine, engine.plan
        self.text = TextModel(engine, tokenizer, template, vocab_size=engine.config.vocab_size)
        if self.plan.device == "cpu":
            promise(self, self._untouched_bytes)

    def _untouched_bytes(self) -> int:
        """Of the KV cache, in main memory."""
        plan = self.plan
        return plan.kv_bytes - self.engine.stats().pages_touched * (plan.kv_bytes // plan.pages)

    async def unload(self) -> None:
        forget(self)
        await self.engine.stop()
        await asyncio.to_thread(give_back_memory)

    @property
    def works(self) -> bool:
        return self.engine.is_running

    @property
    def size_bytes(self) -> int:
        return self.plan.weights_bytes + self.plan.kv_bytes

    def facts(self) -> dict[str, Any]:
        plan = self.plan
        return {"device": plan.device, "dtype": plan.dtype, "context_tokens": plan.context_tokens}

    def condition(self) -> str:
        stats = self.engine.stats()
        return f"{self._options.model_name} on {self.plan.device}: {stats.running} running, {stats.waiting} waiting"

    def figures(self) -> dict[str, float]:
        return self.engine.figures()


def _read_text(path: Path) -> tuple[Tokenizer, ChatTemplate | None]:
    """A model's tokenizer and chat template. Imports numpy, tokenizers and jinja2: so not before the server answers."""
    from runtime.engine.text.loading import load_chat_template, load_tokenizer

    tokenizer = load_tokenizer(path)
    return tokenizer, load_chat_template(path, tokenizer)
