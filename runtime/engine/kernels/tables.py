"""What the kernels of a step are told: a model's shape, and tables of 64-bit numbers and addresses. Knows no code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

from runtime.engine.kernels.attention import PAGE
from runtime.engine.kernels.builder import LANES


class _Fields(IntEnum):
    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[int]) -> int:
        return count


class Step(_Fields):
    """Places in the table of a step. Counts as they are, the rest addresses.

    tokens: [rows] int64. cos, sin: [rows, head_dim / 2] float32. slots: [rows] int64, page * 32 + place on the page.
    tiles: [tile_count, 4] int64: first row, rows, the first row's position, place of its block table in `tables`.
    tables: int32. selected: [selected_count] int64, rows whose logits are wanted. logits: [selected_count, padded
    vocabulary] float32. The others are room for what is computed on the way; scratch and scores for each thread.
    """

    ROWS = auto()
    TOKENS = auto()
    COS = auto()
    SIN = auto()
    SLOTS = auto()
    TILE_COUNT = auto()
    TILES = auto()
    TABLES = auto()
    SELECTED_COUNT = auto()
    SELECTED = auto()
    LOGITS = auto()
    EMBEDDING = auto()
    EMBEDDING_BITS = auto()
    NORM = auto()
    HEAD = auto()
    HEAD_BITS = auto()
    LAYERS = auto()
    X = auto()
    WIDE = auto()
    ATTENDED = auto()
    BYTES = auto()
    NOTES = auto()
    SCRATCH = auto()
    SCRATCH_BYTES = auto()
    SCORES = auto()
    SCORES_BYTES = auto()
    BARRIER = auto()


class Layer(_Fields):
    """Places in the table of a layer: addresses, and behind each matrix its bits. KEYS, VALUES: on page 0."""

    ATTENTION_NORM = auto()
    Q = auto()
    Q_BITS = auto()
    K = auto()
    K_BITS = auto()
    V = auto()
    V_BITS = auto()
    O = auto()  # noqa: E741  # as it is called everywhere
    O_BITS = auto()
    FFN_NORM = auto()
    GATE = auto()
    GATE_BITS = auto()
    UP = auto()
    UP_BITS = auto()
    DOWN = auto()
    DOWN_BITS = auto()
    KEYS = auto()
    VALUES = auto()


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Of a model, in elements. hidden and ffn are multiples of 32, head_dim of 16."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    eps: float

    @property
    def qkv(self) -> int:
        return (self.heads + 2 * self.kv_heads) * self.head_dim

    @property
    def page_bytes(self) -> int:
        """Of the keys and values of all layers."""
        return self.layers * 2 * self.kv_heads * self.head_dim * PAGE * 2

    @property
    def padded_vocab(self) -> int:
        return -(-self.vocab // LANES) * LANES

    @property
    def wide(self) -> int:
        """Of the widest thing that a row becomes: queries, keys and values, or gate and up."""
        return max(self.qkv, 2 * self.ffn)

    @property
    def widest_input(self) -> int:
        return max(self.hidden, self.heads * self.head_dim, self.ffn)
