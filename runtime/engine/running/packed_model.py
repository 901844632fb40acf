"""A Llama model on packed weights, computed by kernels on a CPU: tables of addresses, and arrays behind them.

Knows weights, pages and rows; not sequences, sampling or scheduling (`packed_runner.py`). No torch.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.kernels.attention import MOST_QUERIES, PAGE
from runtime.engine.kernels.compiled import Compiled, compiled, host_features
from runtime.engine.kernels.decoder import HEAD, STEP, decoder_module
from runtime.engine.kernels.dot import best_dot
from runtime.engine.kernels.packing import COLUMNS, Packed
from runtime.engine.kernels.products import NOTE_BYTES
from runtime.engine.kernels.tables import Layer, Shape, Step
from runtime.engine.layers.frequencies import inverse_frequencies
from runtime.engine.running.team import Team

Floats = NDArray[np.float32]
Weights = Mapping[str, Packed | Floats]
_ARGUMENTS = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
_MATRICES = ("attention.q", "attention.k", "attention.v", "attention.o", "ffn.gate", "ffn.up", "ffn.down")


@dataclass(frozen=True)
class Span:
    """Neighbouring tokens of one sequence: `start` is the first one's position. pages: the sequence's block table."""

    tokens: Sequence[int]
    start: int
    pages: Sequence[int]


def shape_of(config: ModelConfig) -> Shape:
    return Shape(
        layers=config.layers,
        hidden=config.hidden_size,
        heads=config.heads,
        kv_heads=config.kv_heads,
        head_dim=config.head_dim,
        ffn=config.ffn_size,
        vocab=config.vocab_size,
        eps=config.norm_eps,
    )


def decoder_kernels(config: ModelConfig, kept: Path | None) -> Compiled:
    """The kernels of models of this shape for this CPU. kept: the folder for compiled kernels, None for none."""
    shape, dot = shape_of(config), best_dot(host_features())
    return compiled(f"{shape} {dot.name}", lambda: decoder_module(shape, dot), kept)


class PackedModel:
    """Its methods are for one thread at a time. They let Python's other threads run while they compute.

    weights: by our names; matrices packed, norms [hidden_size] float32. pages: of the cache, page 0 included.
    most_rows: tokens of one step. thread_bytes: of weights, each counted for every row that it is multiplied with, that
    are worth a thread; threads that would get less rest. kernels: of this config, None to compile them.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        *,
        pages: int,
        most_rows: int,
        context_tokens: int,
        threads: int = 1,
        thread_bytes: int = 1,
        kernels: Compiled | None = None,
    ) -> None:
        self.config, self.shape = config, shape_of(config)
        self._most_rows, self._most_tokens = most_rows, -(-context_tokens // PAGE) * PAGE
        self._frequencies = inverse_frequencies(config)
        self._compiled = kernels or decoder_kernels(config, None)
        self._step, self._head = (self._compiled.function(name, *_ARGUMENTS) for name in (STEP, HEAD))
        # numpy's zeros take no memory until they are written, so a page costs something once it is used. What all
        # layers write for a token lies together: the system gives memory in pieces of up to 2 MB.
        pool = (pages, config.layers, 2, config.kv_heads, PAGE, config.head_dim)
        self.cache = np.zeros(pool, np.float16)
        self._table = np.zeros(len(Step), np.int64)
        self._alive: list[Any] = [weights]
        self._given: dict[Step, NDArray[Any]] = {}
        self._thread_bytes = thread_bytes
        self._head_bytes = _bytes(weights.get("head", weights["embedding"]))
        self._layers_bytes = sum(_bytes(weight) for name, weight in weights.items() if name.startswith("layers."))
        self._fill_rooms(threads)
        self._fill_weights(weights)
        self._team = Team(threads)  # last: whoever does not get this object cannot end its threads

    def step(self, parts: Sequence[Span]) -> None:
        """Compute all layers for these tokens, at most `most_rows`, and write their keys and values to their pages.

        Raises ValueError for tokens that there is no room for, and for ids and pages that there are not.
        """
        counts = [len(part.tokens) for part in parts]
        tokens = np.array([token for part in parts for token in part.tokens], np.int64)
        positions = np.concatenate([np.arange(part.start, part.start + len(part.tokens)) for part in parts])
        tables = [np.asarray(part.pages, np.int32) for part in parts]
        pages = np.concatenate(tables)
        self._check(tokens, positions, pages)
        slots = [
            table[own // PAGE] * np.int64(PAGE) + own % PAGE
            for table, own in zip(tables, np.split(positions, np.cumsum(counts)[:-1]), strict=True)
        ]
        angles = np.outer(positions, self._frequencies)  # float64: a float32 product is off at position 100,000
        given: dict[Step, NDArray[Any]] = {
            Step.TOKENS: tokens,
            Step.COS: np.cos(angles).astype(np.float32),
            Step.SIN: np.sin(angles).astype(np.float32),
            Step.SLOTS: np.concatenate(slots),
            Step.TILES: self._tiles(parts, tables),
            Step.TABLES: pages,
        }
        self._set(given)
        self._table[Step.ROWS] = len(tokens)
        self._table[Step.TILE_COUNT] = len(given[Step.TILES])
        self._call(self._step, len(tokens) * self._layers_bytes)

    def logits(self, rows: Sequence[int]) -> Floats:
        """Of these rows of the last step, by their places: [rows, vocab_size], float32, which is the caller's.

        Raises ValueError for rows that it did not have, and for more than a step can have.
        """
        computed = int(self._table[Step.ROWS])
        if len(rows) > self._most_rows or (rows and not 0 <= min(rows) <= max(rows) < computed):
            raise ValueError(f"logits of the rows {list(rows)} of {computed}")
        logits = np.empty((len(rows), self.shape.padded_vocab), np.float32)
        selected = np.asarray(rows, np.int64)
        self._set({Step.SELECTED: selected, Step.LOGITS: logits})
        self._table[Step.SELECTED_COUNT] = len(rows)
        self._call(self._head, len(rows) * self._head_bytes)
        return logits[:, : self.config.vocab_size]

    def close(self) -> None:
        """End the threads."""
        self._team.close()

    def _call(self, function: Any, work_bytes: int) -> None:
        """work_bytes: of weights, each counted once for each row that it is multiplied with."""
        self._barrier[0] = 0
        table = self._table.ctypes.data

        def work(thread: int, threads: int) -> None:
            try:
                function(table, thread, threads)
            except BaseException:
                self._barrier[0] = _ALL_HAVE_MET  # the others wait for this thread
                raise

        self._team.run(work, max(1, work_bytes // self._thread_bytes))

    def _check(self, tokens: NDArray[np.int64], positions: NDArray[np.int64], pages: NDArray[np.int32]) -> None:
        """tokens, positions: [rows], int64; pages: of all block tables, [pages], int32. Kernels go by addresses:
        nothing else stops them at the end of an array.
        """
        if len(tokens) > self._most_rows:
            raise ValueError(f"a step has {len(tokens)} tokens, and there is room for {self._most_rows}")
        if positions.max() >= self._most_tokens:
            raise ValueError(f"a token has the position {positions.max()}, and there is room for {self._most_tokens}")
        if tokens.min() < 0 or tokens.max() >= self.config.vocab_size:
            raise ValueError(f"a token is not in the vocabulary of {self.config.vocab_size}")
        if pages.min() < 0 or pages.max() >= len(self.cache):
            raise ValueError(f"a page is not among the {len(self.cache)} of the cache")

    def _tiles(self, parts: Sequence[Span], tables: Sequence[NDArray[np.int32]]) -> NDArray[np.int64]:
        """The pieces in which attention is shared out, up to 8 rows each. tables: of the spans, [pages], int32.

        Returns [pieces, 4], int64, as `Step.TILES` says.
        """
        found, row, place = [], 0, 0
        for part, table in zip(parts, tables, strict=True):
            for at in range(0, len(part.tokens), _TILE_ROWS):
                count = min(_TILE_ROWS, len(part.tokens) - at)
                found.append((row + at, count, part.start + at, place))
            row, place = row + len(part.tokens), place + len(table)
        return np.array(found, np.int64)

    def _set(self, arrays: Mapping[Step, NDArray[Any]]) -> None:
        """Put the arrays' addresses into the table, and keep the arrays until the next ones come.

        arrays: of the shapes and dtypes that `Step` says, such as [rows], int64.
        """
        self._given |= arrays
        for field, array in arrays.items():
            self._table[field] = array.ctypes.data

    def _fill_rooms(self, threads: int) -> None:
        """What is computed on the way."""
        shape, rows = self.shape, self._most_rows
        scratch = np.empty((threads, shape.widest_input), np.float32)
        scores = np.empty((threads, MOST_QUERIES * self._most_tokens), np.float32)
        self._barrier = np.zeros(8, np.int64)
        rooms: dict[Step, NDArray[Any]] = {
            Step.X: np.empty((rows, shape.hidden), np.float32),
            Step.WIDE: np.empty((rows, shape.wide), np.float32),
            Step.ATTENDED: np.empty((rows, shape.heads * shape.head_dim), np.float32),
            Step.BYTES: np.empty((rows, shape.widest_input), np.int8),
            Step.NOTES: np.empty((rows, shape.widest_input // COLUMNS * NOTE_BYTES), np.uint8),
            Step.SCRATCH: scratch,
            Step.SCORES: scores,
            Step.BARRIER: self._barrier,
        }
        self._alive.append(rooms)
        for field, array in rooms.items():
            self._table[field] = array.ctypes.data
        self._table[Step.SCRATCH_BYTES] = scratch.strides[0]
        self._table[Step.SCORES_BYTES] = scores.strides[0]

    def _fill_weights(self, weights: Weights) -> None:
        layers = np.zeros((self.config.layers, len(Layer)), np.int64)
        for number, layer in enumerate(layers):
            for place, name in ((Layer.ATTENTION_NORM, "attention_norm"), (Layer.FFN_NORM, "ffn_norm")):
                layer[place] = _address(weights[f"layers.{number}.{name}"])
            for name in _MATRICES:
                place = Layer[name.partition(".")[2].upper()]
                matrix = weights[f"layers.{number}.{name}"]
                assert isinstance(matrix, Packed)
                layer[place], layer[place + 1] = _address(matrix), matrix.bits
            layer[Layer.KEYS], layer[Layer.VALUES] = (pool.ctypes.data for pool in self.cache[0, number])
        embedding, head = weights["embedding"], weights.get("head", weights["embedding"])
        assert isinstance(embedding, Packed) and isinstance(head, Packed)
        self._alive.append(layers)
        for field, number in (
            (Step.LAYERS, layers.ctypes.data),
            (Step.NORM, _address(weights["norm"])),
            (Step.EMBEDDING, _address(embedding)),
            (Step.EMBEDDING_BITS, embedding.bits),
            (Step.HEAD, _address(head)),
            (Step.HEAD_BITS, head.bits),
        ):
            self._table[field] = number


_TILE_ROWS = 8
_ALL_HAVE_MET = 2**62
"""More than a barrier's counter reaches."""


def _address(weight: Packed | Floats) -> int:
    """weight: a matrix, or a norm's: [hidden_size], float32."""
    address: int = _array(weight).ctypes.data
    return address


def _bytes(weight: Packed | Floats) -> int:
    """weight: a matrix, or a norm's: [hidden_size], float32."""
    return _array(weight).nbytes


def _array(weight: Packed | Floats) -> NDArray[Any]:
    """weight: a matrix, or a norm's: [hidden_size], float32. Returns [panels, blocks, bytes], uint8, or the latter."""
    return weight.data if isinstance(weight, Packed) else weight
