"""What the next step computes: continuous batching under one token budget. Knows counts, pages and keys; no tensors.

A step is filled in this order: the next token of every sequence that is decoding; then chunks of prompts, of running
and of waiting sequences; then what is guessed to come after a sequence's last token. Beside tokens that somebody
waits for, the chunks are smaller, so that no stream stalls while a long prompt is read. A lower priority number always
comes first; within it short prompts overtake longer ones, each by no more tokens in all than it has itself. A sequence
gets the pages for all its tokens when it starts, and computes only those that no page has yet; of a page that has its
next tokens and then others, it copies the beginning (`prefixes.py`). While another one that is no later is computing
its next page, it waits for that.

If a decoding sequence finds no free page, the last one by priority and arrival gives up its pages and is computed
again, from what is left of them; so the first always advances. It also gives way to a waiting one of an earlier
priority. What nobody waits for, from `IDLE_PRIORITY` on, is computed only in steps that have nothing else to do, and
keeps its pages meanwhile unless they are needed. Iteration-level scheduling: Yu et al. 2022 (Orca), section 3; chunked
prefill: Agrawal et al. 2024 (Sarathi-Serve), section 4.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from runtime.engine.scheduling.block_manager import BlockManager
from runtime.engine.scheduling.prefixes import Prefixes
from runtime.engine.scheduling.sequence import Sequence

IDLE_PRIORITY = 1_000_000
"""Sequences of this priority and later ones are nobody's who waits."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next `count` uncomputed tokens of one sequence. samples: whether they include its last token. guess: tokens
    that may come after that, and are computed with it. copies: a page to be copied first, and where to.
    """

    sequence: Sequence
    count: int
    samples: bool
    guess: tuple[int, ...] = ()
    copies: tuple[int, int] | None = None

    @property
    def rows(self) -> int:
        return self.count + len(self.guess)

    @property
    def tokens(self) -> list[int]:
        start = self.sequence.computed
        return [*self.sequence.tokens[start : start + self.count], *self.guess]


class Scheduler:
    """max_batch_size: sequences running at once. max_step_tokens: tokens of one step. prefill_chunk_tokens: tokens of
    prompts in a step that decodes, too, where they begin: further on there are fewer, so that steps take equally long;
    None for what is left of `max_step_tokens`. doubling_tokens: of a prompt, after which a token costs twice as much as
    at its beginning (`ModelConfig.doubling_tokens`); None where it never does. guessed_tokens: of a step, for all
    sequences together.

    Raises ValueError where `max_step_tokens` is below `max_batch_size`.
    """

    def __init__(
        self,
        blocks: BlockManager,
        *,
        max_batch_size: int,
        max_step_tokens: int,
        prefill_chunk_tokens: int | None = None,
        doubling_tokens: int | None = None,
        guessed_tokens: int = 0,
    ) -> None:
        if max_step_tokens < max_batch_size:
            raise ValueError("a step must have room for one token of every running sequence")
        self.blocks = blocks
        self._prefixes = Prefixes(blocks)
        self.max_batch_size = max_batch_size
        self.max_step_tokens = max_step_tokens
        self.prefill_chunk_tokens = prefill_chunk_tokens or max_step_tokens
        self.guessed_tokens = guessed_tokens
        self.doubling_tokens = doubling_tokens
        self.running: list[Sequence] = []
        self.waiting: list[Sequence] = []  # by `_turn`
        self.preemptions = 0
        self.cached_tokens = 0  # of prompts, found computed
        self._by_id: dict[int, Sequence] = {}
        self._arrivals = self._arrived_tokens = self._awaited = 0
        # Below the maxima after a step that ran out of memory.
        self._rows, self._step_tokens = max_batch_size, max_step_tokens

    @property
    def has_work(self) -> bool:
        return bool(self._by_id)

    def add(self, sequence: Sequence) -> None:
        self._arrivals += 1
        self._arrived_tokens += len(sequence.tokens)
        sequence.order, sequence.born = self._arrivals, self._arrived_tokens
        self._by_id[sequence.id] = sequence
        self._awaited += not _is_idle(sequence)
        insort(self.waiting, sequence, key=_turn)

    def schedule(self) -> list[Chunk]:
        """The chunks of the next step; at least one while there is work."""
        self._displace()
        chunks: list[Chunk] = []
        budget = self._step_tokens
        decoding = sorted((one for one in self.due(self.running) if one.is_decoding), key=_standing)
        for number, sequence in enumerate(decoding, 1):
            if self._make_room(sequence):
                # Each of those after it has room for a token.
                budget -= self._add_chunk(chunks, sequence, max(1, budget - (len(decoding) - number)))
        if chunks or not self._awaited:  # whoever comes next waits for this step
            self._prefill(min(budget, self.prefill_chunk_tokens), chunks, doubling_tokens=self.doubling_tokens)
        else:
            self._prefill(budget, chunks)
        return self._with_guesses(chunks) if self.guessed_tokens else chunks

    def due(self, sequences: list[Sequence]) -> list[Sequence]:
        """Those that a step may compute now: without those that nobody waits for, while there are others."""
        return [one for one in sequences if not _is_idle(one)] if 0 < self._awaited < len(self._by_id) else sequences

    def advance(self, chunk: Chunk) -> None:
        """Note that a chunk is computed. Pages that are full now can be found by others."""
        self.count(chunk.sequence, chunk.count)

    def count(self, sequence: Sequence, tokens: int) -> None:
        """Note that so many more tokens of a sequence are computed."""
        self._prefixes.release_source(sequence)
        before, sequence.computed = sequence.computed, sequence.computed + tokens
        self._prefixes.remember(sequence, before)

    def remove(self, sequence_id: int, *, is_damaged: bool = False) -> Sequence | None:
        """Remove a sequence, running or waiting, and free its pages. Returns it; None for an unknown id.

        is_damaged: what it computed must not be used again.
        """
        sequence = self._by_id.pop(sequence_id, None)
        if sequence is None:
            return None
        self._awaited -= not _is_idle(sequence)
        if is_damaged:
            self.blocks.forget(sequence.pages)
        (self.running if sequence in self.running else self.waiting).remove(sequence)
        self._free(sequence)
        self._rows, self._step_tokens = self.max_batch_size, self.max_step_tokens
        return sequence

    def relieve(self, chunks: list[Chunk]) -> bool:
        """After a step that ran out of memory, make the next ones smaller until a sequence ends: the last of its
        sequences gives way, and a chunk that is alone is halved with its guess. False for a single token, which is as
        small as it gets.
        """
        if len(chunks) > 1:
            self._preempt(max((chunk.sequence for chunk in chunks), key=_standing))
            self._rows = max(1, len(self.running))
            return True
        if chunks and chunks[0].rows > 1:
            self._step_tokens = chunks[0].rows // 2
            return True
        return False

    def has(self, sequence_id: int) -> bool:
        return sequence_id in self._by_id

    def ids(self) -> list[int]:
        """The ids of all sequences, running and waiting."""
        return list(self._by_id)

    def _prefill(self, budget: float, chunks: list[Chunk], *, doubling_tokens: int | None = None) -> None:
        """Add chunks of prompts that cost as much as the first `budget` tokens of one, and start waiting sequences for
        them. doubling_tokens: None counts all tokens alike.
        """
        begun = deque(sorted((one for one in self.due(self.running) if not one.is_decoding), key=_turn))
        coming = self._all_coming()
        # Looking up pages takes a while, so a step looks at no more sequences that it passes over than it could run.
        waiting = deque(self.due(self.waiting[: 2 * self.max_batch_size]))
        while budget >= 1 and (begun or waiting):
            if begun and not (waiting and _turn(waiting[0]) < _turn(begun[0])):
                sequence = begun.popleft()
            else:
                sequence = waiting.popleft()
                found = self._prefixes.find(sequence)
                if self._is_coming(sequence, found, coming):
                    continue
                if not self._fits(sequence, found):
                    waiting.clear()  # nobody behind it takes the pages that it waits for
                    continue
                self._start(sequence, found)
                coming |= dict.fromkeys(self._coming(sequence), sequence.priority)
            cost = 1 + sequence.computed / doubling_tokens if doubling_tokens else 1
            budget -= cost * self._add_chunk(chunks, sequence, max(1, int(budget / cost)))

    def _add_chunk(self, chunks: list[Chunk], sequence: Sequence, budget: int) -> int:
        count = min(sequence.pending, budget)
        copies = None
        if sequence.source is not None:
            copies = sequence.source, sequence.pages[sequence.computed // self.blocks.page_size]
        chunks.append(Chunk(sequence, count, samples=count == sequence.pending, copies=copies))
        return count

    def _with_guesses(self, chunks: list[Chunk]) -> list[Chunk]:
        """The chunks with as many guesses as the step has room for."""
        room = self._step_tokens - sum(chunk.count for chunk in chunks)
        most = self.guessed_tokens // max(1, len(self.due(self.running)))
        for number, chunk in enumerate(chunks):
            if chunk.samples and (guess := self._guess(chunk.sequence, min(most, room))):
                chunks[number] = replace(chunk, guess=guess)
                room -= len(guess)
        return chunks

    def _guess(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """What may come after the tokens of a sequence that decodes; it has pages for that."""
        most = min(most, sequence.max_length - len(sequence.tokens) - 1)
        if most < 1 or not sequence.output_length:
            return ()
        guess = sequence.lookup.guess(sequence.tokens, most)
        while len(sequence.pages) < self.blocks.pages_for(len(sequence.tokens) + len(guess)) and self.blocks.free:
            sequence.pages += self.blocks.allocate(1)
        return guess[: len(sequence.pages) * self.blocks.page_size - len(sequence.tokens)]

    def _is_coming(self, sequence: Sequence, found: list[int], coming: Mapping[bytes, int]) -> bool:
        """Whether the page after the `found` ones is being computed by a sequence that does not come after it."""
        number = len(found)
        if number == sequence.reusable // self.blocks.page_size:
            return False
        priority = coming.get(sequence.keys[number])
        return priority is not None and priority <= sequence.priority

    def _all_coming(self) -> dict[bytes, int]:
        """The keys of all pages that are being computed, with the earliest priority of those that do."""
        reading = sorted((one for one in self.running if one.pending > 1), key=_standing, reverse=True)
        return {key: one.priority for one in reading for key in self._coming(one)}

    def _coming(self, sequence: Sequence) -> list[bytes]:
        """The keys of the pages that a running sequence is about to fill."""
        return sequence.keys[sequence.computed // self.blocks.page_size :]

    def _fits(self, sequence: Sequence, found: list[int]) -> bool:
        return len(self.running) < self._rows and self._missing_pages(sequence, found) <= 0

    def _missing_pages(self, sequence: Sequence, found: list[int]) -> int:
        """How many more pages must be free before it can start."""
        wanted = self.blocks.pages_for(len(sequence.tokens)) - len(found)
        return wanted - (self.blocks.free - self.blocks.free_among(found))

    def _start(self, sequence: Sequence, found: list[int]) -> None:
        self.blocks.share(found)
        missing = self.blocks.pages_for(len(sequence.tokens)) - len(found)
        sequence.computed = len(found) * self.blocks.page_size + self._prefixes.take_source(sequence, found, missing)
        sequence.pages = found + self.blocks.allocate(missing)
        if not sequence.preemptions:
            sequence.cached_tokens = sequence.computed
            self.cached_tokens += sequence.computed
        self.waiting.remove(sequence)
        self.running.append(sequence)

    def _displace(self) -> None:
        """Preempt sequences of later priorities where the first that waits finds no row or no pages because of them."""
        while self.waiting:
            first = self.waiting[0]
            later = [one for one in self.running if one.priority > first.priority]
            if not later:
                return
            found = self._prefixes.find(first)
            if self._fits(first, found) or self._is_coming(first, found, self._all_coming()):
                return
            if self._missing_pages(first, found) > sum(len(one.pages) for one in later):
                return
            self._preempt(max(later, key=_standing))

    def _make_room(self, sequence: Sequence) -> bool:
        """Give the sequence pages for its next tokens; False where it was preempted, now or earlier in this step."""
        while sequence.pages:
            if len(sequence.pages) >= self.blocks.pages_for(len(sequence.tokens)):
                return True
            if self.blocks.free:
                sequence.pages += self.blocks.allocate(1)
            else:
                self._preempt(max(self.running, key=_standing))
        return False

    def _preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._free(sequence)
        sequence.computed = 0
        sequence.preemptions += 1
        insort(self.waiting, sequence, key=_turn)
        self.preemptions += 1

    def _free(self, sequence: Sequence) -> None:
        self._prefixes.release_source(sequence)
        self.blocks.release(sequence.pages)
        sequence.pages = []


def _is_idle(sequence: Sequence) -> bool:
    """Whether nobody waits for it."""
    return sequence.priority >= IDLE_PRIORITY


def _standing(sequence: Sequence) -> tuple[int, int]:
    """Who keeps its pages: earlier priorities, and the elder among equals."""
    return sequence.priority, sequence.order


def _turn(sequence: Sequence) -> tuple[int, int, int]:
    """Who computes its prompt first. Later ones overtake while all that has arrived since is less than what is left.
    One that was preempted has waited before.
    """
    left = 0 if sequence.preemptions else sequence.pending
    return sequence.priority, sequence.born + left, sequence.order
