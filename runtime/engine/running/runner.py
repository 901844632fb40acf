"""Runs a step: chunks in, sampled tokens out. What runs when is the scheduler's choice; how it is computed, the kinds':

torch_runner.py     any device, any checkpoint; float32 or bfloat16, weights in float8 too
packed_runner.py    a CPU, quantised weights as kernels read them; no torch
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.memory.plan import MemoryPlan
from runtime.engine.requests.messages import PromptLogprob
from runtime.engine.sampling.sampled import Sampled
from runtime.engine.scheduling.scheduler import Chunk
from runtime.engine.scheduling.sequence import Sequence

# Rows of logits computed at a time for log-probabilities of a prompt: 64 rows of a 128k vocabulary are 32 MB.
_LOGIT_ROWS = 64


Logprob = tuple[float, tuple[tuple[int, float], ...]]
"""Of a token, and (token id, log-probability) of the likeliest ones in its place."""


@dataclass(frozen=True, slots=True)
class Launches:
    """How steps were launched since the start: operator by operator, or as replays of graphs. graph_captures: how many
    graphs were recorded. All are 0 where a step is one call of a kernel.
    """

    eager_steps: int = 0
    graph_replays: int = 0
    graph_captures: int = 0


class Pending(Protocol):
    """The tokens of a step that has been launched, and may not have been computed yet."""

    def results(self) -> list[Sampled | None]:
        """An entry for each chunk, None where nothing is sampled. Waits for them."""


@dataclass(frozen=True, slots=True)
class Done:
    """Of a step that was computed when it was launched."""

    sampled: list[Sampled | None]

    def results(self) -> list[Sampled | None]:
        return self.sampled


class Runner(ABC):
    """A loaded model and its KV cache, for one thread. guessed_tokens: that cost little beside others of a step.
    can_follow: whether `follow` launches anything.
    """

    config: ModelConfig
    plan: MemoryPlan
    guessed_tokens = 0
    can_follow = False
    _guessed: Mapping[int, Any]

    @abstractmethod
    def compute(self, chunks: Rows[Chunk]) -> None:
        """All layers for the tokens of the chunks; writes their keys and values into their pages. What becomes of the
        tokens stays until the next call: a row for each, in order.
        """

    @abstractmethod
    def copy_page(self, source: int, target: int) -> None:
        """Copy the keys and values of one page to another, in all layers."""

    @abstractmethod
    def logits(self, rows: Rows[int]) -> Any:
        """Of these rows of the last `compute`: [rows, vocab_size] float32, an array or tensor of the caller's."""

    @abstractmethod
    def sample(self, logits: Any, sequences: Rows[Sequence]) -> list[Sampled]:
        """A token for each row of `logits`, which this changes."""

    @abstractmethod
    def logprobs_of(self, logits: Any, token_ids: Rows[int], top: int) -> list[Logprob]:
        """The log-probability of each row's token, and the `top` likeliest tokens as (token id, log-probability)."""

    def launches(self) -> Launches:
        """Counts, where steps are launched on a device."""
        return Launches()

    @abstractmethod
    def close(self) -> None:
        """Give back what Python does not give back by itself."""

    def launch(self, chunks: Rows[Chunk]) -> Pending:
        """Begin what `run` does. Its results are waited for before the next `launch`."""
        return Done(self.run(chunks))

    def follow(self, chunks: Rows[Chunk]) -> Pending | None:
        """Begin the step after the last one while that may still be computed: the token that it samples for each of
        these sequences is computed next. None where the tokens must be known first.
        """
        return None

    def run(self, chunks: Rows[Chunk]) -> list[Sampled | None]:
        """Compute the chunks, and sample a token for each that reaches the last token of its sequence.

        Returns an entry for each chunk, None where nothing is sampled. Appends log-probabilities of prompts to the
        sequences that ask for them, and changes nothing else about a sequence.
        """
        self.compute(chunks)
        self._add_prompt_logprobs(chunks)
        sampling = [chunk for chunk in chunks if chunk.samples]
        if not sampling:
            return [None] * len(chunks)
        rows: list[int] = []
        firsts: list[int] = []
        row = -1
        for chunk in chunks:
            row += chunk.count
            if chunk.samples:
                firsts.append(len(rows))
                rows += range(row, row + 1 + len(chunk.guess))
            row += len(chunk.guess)
        logits = self.logits(rows)
        # Sampling writes into what it is given, and a guess may need its row later.
        self._guessed = {
            chunk.sequence.id: logits[first + 1 : first + 1 + len(chunk.guess)]
            for chunk, first in zip(sampling, firsts, strict=True)
            if chunk.guess
        }
        first_logits = logits[firsts] if self._guessed else logits
        sampled: Iterator[Sampled] = iter(self.sample(first_logits, [chunk.sequence for chunk in sampling]))
        return [next(sampled) if chunk.samples else None for chunk in chunks]

    def sample_guessed(self, sequence: Sequence, place: int) -> Sampled:
        """The token after the guessed one at `place` of the last step, which has been appended to the sequence."""
        return self.sample(self._guessed[sequence.id][place : place + 1], [sequence])[0]

    def _add_prompt_logprobs(self, chunks: Rows[Chunk]) -> None:
        row = 0
        for chunk in chunks:
            sequence = chunk.sequence
            if sequence.params.prompt_logprobs:
                # A row predicts the token after it. After a preemption the first ones are already known.
                first = max(len(sequence.prompt_logprobs), sequence.computed) + 1
                last = min(sequence.prompt_length, sequence.computed + chunk.count + 1)
                for start in range(first, last, _LOGIT_ROWS):
                    end = min(start + _LOGIT_ROWS, last)
                    offset = row - sequence.computed - 1
                    logits = self.logits(range(start + offset, end + offset))
                    self._append_logprobs(sequence, logits, sequence.tokens[start:end])
            row += chunk.rows

    def _append_logprobs(self, sequence: Sequence, logits: Any, token_ids: list[int]) -> None:
        """Row i of the logits predicts token_ids[i]."""
        found = self.logprobs_of(logits, token_ids, sequence.params.logprobs or 0)
        for token_id, (logprob, top) in zip(token_ids, found, strict=True):
            sequence.prompt_logprobs.append(PromptLogprob(token_id=token_id, logprob=logprob, top_logprobs=top))
