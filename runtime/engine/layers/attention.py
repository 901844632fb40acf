"""What attention over a paged KV cache has in common, however it is computed: pages, rows, and where new keys go.

Knows pages and rows; not sequences or scheduling. Two ways compute it, each with a plan of its own:

gathered.py     any device and dtype: pages are gathered for torch's SDPA
varlen.py       a CUDA device: flash attention reads the pages where they are

Paged attention: Kwon et al. 2023 (vLLM), section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Span:
    """The tokens that one sequence computes in a step: `start` to `start + count` - 1. pages: its block table."""

    pages: Sequence[int]
    start: int
    count: int


class KVCache:
    """The pool of pages. keys, values: one [pages, page_size, kv_heads, head_dim] per layer, in `dtype`, zero at first.

    Page 0 belongs to no sequence: block tables are padded with it, so its values must stay finite.
    """

    def __init__(
        self,
        *,
        layers: int,
        pages: int,
        page_size: int,
        kv_heads: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        shape = (layers, 2, pages, page_size, kv_heads, head_dim)
        if device.type == "cpu":
            # numpy's zeros come from calloc, so unlike with torch.zeros a page takes memory only once it is written.
            width = np.uint16 if dtype.itemsize == 2 else np.uint32
            pool = torch.from_numpy(np.zeros(shape, width)).view(dtype)
        else:
            pool = torch.zeros(shape, dtype=dtype, device=device)
        self.page_size = page_size
        self.keys = [pool[layer, 0] for layer in range(layers)]
        self.values = [pool[layer, 1] for layer in range(layers)]

    def release(self) -> None:
        """Give back the memory; there are no pages left."""
        self.keys.clear()
        self.values.clear()

    def copy_page(self, source: int, target: int) -> None:
        """Copy a page's keys and values to another page, in all layers."""
        for pool in (*self.keys, *self.values):
            pool[target].copy_(pool[source])


class AttentionPlan(Protocol):
    """The addresses of one step, the same for all layers."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Write the new keys and values, then attend. Vaswani et al. 2017, eq. 1; grouped heads: Ainslie et al. 2023.

        q: [tokens, heads, head_dim]; k, v: [tokens, kv_heads, head_dim]; keys, values: [pages, page_size, kv_heads,
        head_dim], one layer's pool, written in place. All have the working dtype. Returns [tokens, heads * head_dim].
        """


def slots_of(spans: Sequence[Span], page_size: int) -> NDArray[np.int64]:
    """Where the key and value of each token go, as page * page_size + place on the page: [tokens], int64."""
    slots = []
    for span in spans:
        positions = np.arange(span.start, span.start + span.count)
        slots.append(np.asarray(span.pages)[positions // page_size] * page_size + positions % page_size)
    return np.concatenate(slots)


def store(k: Tensor, v: Tensor, keys: Tensor, values: Tensor, slots: Tensor) -> None:
    """Write new keys and values into one layer's pool.

    k, v: [tokens, kv_heads, head_dim]; keys, values: [pages, page_size, kv_heads, head_dim]; all in the working dtype.
    slots: [tokens], int64, from `slots_of`.
    """
    kv_heads, head_dim = keys.shape[2:]
    keys.view(-1, kv_heads, head_dim).index_copy_(0, slots, k)
    values.view(-1, kv_heads, head_dim).index_copy_(0, slots, v)
