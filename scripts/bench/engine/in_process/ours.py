"""Our engine in a child process, through its public classes alone: on one thread, with the settings of the server.

Run by `child.py` with the path of the weights and, for an engine that guesses tokens, the word `guessing`. Knows token
ids; imports nothing of what computes a step.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from runtime.engine.engine import Engine
from runtime.engine.requests.grammar import Grammar
from runtime.engine.requests.messages import TokenOutput
from runtime.engine.requests.sampling_params import SamplingParams
from runtime.engine.running.options import EngineOptions
from runtime.engine.text.loading import load_tokenizer
from runtime.engine.text.text_model import grammars_of
from scripts.bench import environments
from scripts.bench.engine.divergence import TOP
from scripts.bench.engine.in_process.child import Clocks, serve
from scripts.bench.engine.settings import CACHE_BYTES, STREAMS

_DECODED_BEFORE = 8
_GIVEN = 32
"""Tokens at the beginning of a text that are given, not decoded."""


class _Ours:
    def __init__(self, weights: Path, *, is_guessing: bool) -> None:
        self._loop = asyncio.new_event_loop()
        self._weights = weights
        self._engine = Engine(
            EngineOptions(
                model=weights,
                device="cpu",
                threads=1,
                max_batch_size=STREAMS,
                kv_cache_bytes=CACHE_BYTES,
                speculative_tokens=None if is_guessing else 0,
                kernels_dir=environments.BENCH / "kernels",
            )
        )
        self._loop.run_until_complete(self._engine.start())

    def generate(self, prompts: list[list[int]], answer: int) -> Mapping[str, Any]:
        """All prompts at once, greedily, each answered with `answer` tokens. s, cpu_s: until then."""
        clocks = Clocks()
        outputs = self._loop.run_until_complete(self._all(prompts, _greedy(max_tokens=answer, ignore_eos=True)))
        return {"tokens": sum(map(len, outputs)), **clocks.passed()}

    def gap(self, short: list[int], long: list[int], other: list[int]) -> Mapping[str, Any]:
        """How long a stream waits for its next token while another prompt is prefilled.

        short: the stream's prompt; long: the one that is prefilled meanwhile; other: one like it that is prefilled
        alone, afterwards. Returns the `longest` gap with the most prompt `tokens` that were computed in one, and what
        `other` took `alone`.
        """
        return self._loop.run_until_complete(self._gap(short, long, other))

    def nearness(self, text: list[int], folder: str) -> Mapping[str, Any]:
        """Write the log-probabilities of the likeliest tokens after each token of a text, computed in both ways.

        For `prefill` and `decode` in turn: `NAME-ids.npy` and `NAME-logprobs.npy`, [places, TOP], where the first place
        is that after `first` tokens of the text. Decoding is made to say the text by a grammar of its token ids.
        """
        prefilled = self._loop.run_until_complete(
            self._one(text, _greedy(max_tokens=1, logprobs=TOP, prompt_logprobs=True))
        )
        prompt = prefilled[0].prompt
        assert prompt is not None, "the engine gives the prompt's log-probabilities with its first token"
        _write(folder, "prefill", [token.top_logprobs for token in prompt])
        params = _greedy(max_tokens=len(text) - _GIVEN, logprobs=TOP, grammar=self._saying(text[_GIVEN:]))
        decoded = self._loop.run_until_complete(self._one(text[:_GIVEN], params))
        assert [output.token_id for output in decoded] == text[_GIVEN:], "the grammar allows nothing but the text"
        _write(folder, "decode", [output.top_logprobs for output in decoded])
        return {"prefill": {"first": 1}, "decode": {"first": _GIVEN}}

    def close(self) -> None:
        self._loop.run_until_complete(self._engine.stop())
        self._loop.close()

    def _saying(self, ids: Sequence[int]) -> Grammar:
        tokenizer = load_tokenizer(self._weights)
        return grammars_of(tokenizer, frozenset(tokenizer.end_ids)).compile(
            "start: " + " ".join(f"<[{token_id}]>" for token_id in ids)
        )

    async def _one(self, prompt: Sequence[int], params: SamplingParams) -> list[TokenOutput]:
        async with aclosing(self._engine.generate(prompt, params)) as stream:
            return [output async for output in stream]

    async def _all(self, prompts: Sequence[Sequence[int]], params: SamplingParams) -> list[list[TokenOutput]]:
        return await asyncio.gather(*(self._one(prompt, params) for prompt in prompts))

    async def _gap(self, short: list[int], long: list[int], other: list[int]) -> Mapping[str, Any]:
        clocks = Clocks()
        # At each token of the stream: what had passed, and how many tokens of prompts were computed.
        reads: list[dict[str, float]] = []
        async with aclosing(self._engine.generate(short, _greedy(ignore_eos=True))) as stream:

            async def read() -> None:
                await anext(stream)
                reads.append({**clocks.passed(), "tokens": self._engine.stats().prompt_tokens})

            for _ in range(_DECODED_BEFORE):
                await read()
            del reads[:-1]
            prefill = asyncio.create_task(self._one(long, _greedy(max_tokens=1)))
            while not prefill.done():
                await read()
            await prefill
            await read()  # that of the last step of the prefill may not have been read yet
        longest = {name: max(after[name] - before[name] for before, after in pairwise(reads)) for name in reads[0]}
        clocks = Clocks()
        await self._one(other, _greedy(max_tokens=1))
        return {"longest": longest, "alone": clocks.passed()}


def _greedy(**settings: Any) -> SamplingParams:
    return SamplingParams(temperature=0, **settings)


def _write(folder: str, name: str, places: Sequence[Sequence[tuple[int, float]]]) -> None:
    np.save(Path(folder, f"{name}-ids.npy"), np.array([[id for id, _ in place] for place in places], np.int64))
    np.save(Path(folder, f"{name}-logprobs.npy"), np.array([[value for _, value in place] for place in places]))


if __name__ == "__main__":
    ours = _Ours(Path(sys.argv[1]), is_guessing="guessing" in sys.argv[2:])
    try:
        serve({"generate": ours.generate, "gap": ours.gap, "nearness": ours.nearness})
    finally:
        ours.close()
