"""ik_llama.cpp in a child process, on one thread, from the package `ik-llama-cpp-python`.

Through its C interface, since the package's own class knows one sequence and samples in a Python loop over the
vocabulary. Run by `child.py` with the path of the weights. https://github.com/ikawrakow/ik_llama.cpp
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ik_llama_cpp import _ctypes_api as c
from ik_llama_cpp._internals import IkContext, IkModel
from numpy.typing import NDArray

from scripts.bench.engine.cpu import cpu_flags
from scripts.bench.engine.divergence import likeliest, log_softmax
from scripts.bench.engine.in_process.child import Clocks, serve
from scripts.bench.engine.settings import CACHE_TOKENS, STREAMS

Token = tuple[int, int, int, bool]
"""Of a batch: its id, its place, its sequence, and whether logits after it are wanted."""


class _IkLlamaCpp:
    _context: IkContext

    def __init__(self, weights: Path) -> None:
        self._model = IkModel(str(weights))
        self._has_flash: bool | None = None
        self._start(streams=1)
        self._at_once: int = c.llama_n_ubatch(self._context.ctx)
        self._batch = c.llama_batch_init(self._at_once, 0, 1)

    def generate(self, prompts: list[list[int]], answer: int) -> Mapping[str, Any]:
        """All prompts at once, greedily, each answered with `answer` tokens. s, cpu_s: until then."""
        self._start(streams=len(prompts))
        clocks = Clocks()
        lengths = [len(prompt) for prompt in prompts]
        step = [
            (token_id, place, sequence, place == len(prompt) - 1)
            for sequence, prompt in enumerate(prompts)
            for place, token_id in enumerate(prompt)
        ]
        for made in range(answer):
            chosen = [int(row.argmax()) for row in self._logits(step, self._at_once)]
            step = [(token_id, lengths[n] + made, n, True) for n, token_id in enumerate(chosen)]
        return {"tokens": len(prompts) * answer, **clocks.passed()}

    def nearness(self, text: list[int], folder: str) -> Mapping[str, Any]:
        """Write the log-probabilities of the likeliest tokens after each token of a text, computed in both ways, as
        `ours.py` does.
        """
        tokens = [(token_id, place, 0, True) for place, token_id in enumerate(text[:-1])]
        for way, at_once in (("prefill", self._at_once), ("decode", 1)):
            self._start(streams=1)
            rows = np.stack([row.copy() for row in self._logits(tokens, at_once)])
            ids, logprobs = likeliest(log_softmax(rows))
            np.save(Path(folder, f"{way}-ids.npy"), ids)
            np.save(Path(folder, f"{way}-logprobs.npy"), logprobs)
        return {"prefill": {"first": 1}, "decode": {"first": 1}}

    def close(self) -> None:
        c.llama_batch_free(self._batch)
        self._context.close()
        self._model.close()

    def _start(self, streams: int) -> None:
        """Have an empty cache, and the attention that is the fastest of those which do not end the process: flash
        attention for one stream, where the processor has VNNI.
        """
        flash_attn = streams == 1 and bool(cpu_flags() & {"avx_vnni", "avx512_vnni"})
        if flash_attn != self._has_flash:
            if self._has_flash is not None:
                self._context.close()
            self._has_flash = flash_attn
            self._context = IkContext(
                self._model, n_ctx=CACHE_TOKENS, n_threads=1, n_seq_max=STREAMS, flash_attn=flash_attn
            )
        self._context.kv_cache_clear()

    def _logits(self, tokens: Sequence[Token], at_once: int) -> Iterable[NDArray[np.float32]]:
        """Compute tokens, so many at once at most; the logits that are wanted, [vocab] each, in order.

        A row is valid until the next is asked for.
        """
        for start in range(0, len(tokens), at_once):
            some = tokens[start : start + at_once]
            batch = self._batch
            batch.n_tokens = len(some)
            for row, (token_id, place, sequence, is_wanted) in enumerate(some):
                batch.token[row], batch.pos[row], batch.logits[row] = token_id, place, is_wanted
                batch.n_seq_id[row], batch.seq_id[row][0] = 1, sequence
            if failure := self._context.decode(batch):
                raise RuntimeError(f"llama_decode returned {failure} for {len(some)} tokens")
            for row, (_, _, _, is_wanted) in enumerate(some):
                if is_wanted:
                    yield np.ctypeslib.as_array(self._context.get_logits(row), (self._model.n_vocab,))


if __name__ == "__main__":
    model = _IkLlamaCpp(Path(sys.argv[1]))
    try:
        serve({"generate": model.generate, "nearness": model.nearness})
    finally:
        model.close()
