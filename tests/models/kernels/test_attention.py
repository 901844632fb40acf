"""Attention over pages in any order, against whole matrices in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from llvmlite import ir

from runtime.engine.kernels.attention import PAGE, add_attend
from tests.support.compiled_kernels import exported

LAYERS, LAYER = 2, 1  # of the pool, and the one that is read


@cache
def attention(heads: int, kv_heads: int, dim: int) -> Callable[..., None]:
    module = ir.Module()
    kernel = add_attend(
        module,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=dim,
        row_width=(heads + 2 * kv_heads) * dim,
        page_bytes=LAYERS * 2 * kv_heads * dim * PAGE * 2,
    )
    return exported(module, kernel)


def exact(q: np.ndarray, k: np.ndarray, v: np.ndarray, start: int) -> np.ndarray:
    """q: [rows, heads, dim]; k, v: [tokens, kv_heads, dim]; row r sees tokens 0 to start + r."""
    q, k, v = (part.astype(np.float64) for part in (q, k, v))
    out = np.zeros_like(q)
    for row in range(len(q)):
        for head in range(q.shape[1]):
            own = head // (q.shape[1] // k.shape[1])
            scores = k[: start + row + 1, own] @ q[row, head] / math.sqrt(q.shape[2])
            weights = np.exp(scores - scores.max())
            out[row, head] = weights / weights.sum() @ v[: start + row + 1, own]
    return out


@pytest.mark.parametrize(("heads", "kv_heads", "dim"), [(3, 1, 64), (4, 4, 16), (9, 3, 32), (16, 1, 48), (8, 2, 80)])
@pytest.mark.parametrize(("start", "rows"), [(0, 1), (0, 8), (31, 1), (32, 3), (95, 8), (70, 5)])
def test_attention_equals_whole_matrices(heads: int, kv_heads: int, dim: int, start: int, rows: int) -> None:
    rng = np.random.default_rng(start * 10 + rows)
    tokens = start + rows
    k, v = (rng.standard_normal((tokens, kv_heads, dim)).astype(np.float16) for _ in range(2))
    # Other queries, keys and values stand beside them in memory.
    width = (heads + 2 * kv_heads) * dim
    wide = rng.standard_normal((rows, width)).astype(np.float32)
    pages = rng.permutation(np.arange(1, 9))[: -(-tokens // PAGE)].astype(np.int32)
    pool = np.full((9, LAYERS, 2, kv_heads, dim * PAGE), np.nan, np.float16)  # as other sequences may leave it
    for token in range(tokens):
        page, place = pages[token // PAGE], token % PAGE
        pool[page, LAYER, 0].reshape(kv_heads, dim, PAGE)[:, :, place] = k[token]
        pool[page, LAYER, 1].reshape(kv_heads, PAGE, dim)[:, place] = v[token]
    attend = attention(heads, kv_heads, dim)
    out, scores = np.full((rows, heads, dim), 7, np.float32), np.empty(8 * 4 * PAGE, np.float32)
    q = wide[:, : heads * dim].reshape(rows, heads, dim)
    for head in range(kv_heads):
        attend(wide, out, pool[0, LAYER, 0], pool[0, LAYER, 1], pages, start, rows, head, scores)
    np.testing.assert_allclose(out, exact(q, k, v, start), atol=3e-6)
