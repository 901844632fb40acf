"""Causal attention by gathering pages for torch's SDPA: runs on every device, and is what other ways are held against.

A step has two kinds of rows: chunks (several tokens of one sequence) and decode rows (one token each), which are
computed together in groups of similar length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from runtime.engine.layers.attention import Span, slots_of, store

# Rows of a decode group are padded to its longest. A group takes rows up to twice as long as its shortest, or longer by
# this many pages, so that short sequences share a call.
_GROUP_PAGES = 8


@dataclass(frozen=True)
class _DecodeGroup:
    """Decode rows that are computed together, padded to `width` pages each.

    rows: [batch], int64, their places among the step's tokens. pages: [batch * width], int64. mask:
    [batch, 1, 1, width * page_size], working dtype: 0 at tokens, -inf at padding.
    """

    rows: Tensor
    pages: Tensor
    mask: Tensor


@dataclass(frozen=True)
class _Chunk:
    """One sequence's rows `first` to `last` - 1, and the `length` tokens on `pages` that they read.

    pages: a slice where they are neighbours, else [pages], int64. mask: [rows, length], working dtype, 0 or -inf; None
    for one row, which reads everything, and where SDPA's own causal mask fits.
    """

    first: int
    last: int
    pages: slice | Tensor
    length: int
    mask: Tensor | None
    is_causal: bool


@dataclass(frozen=True)
class GatheredPlan:
    """slots: [tokens], int64: where each token's key and value go. begun: [pages], int64, those that get their first
    token now and stay partly filled; None for none. What an earlier sequence left on them is taken away, since NaN
    outlives a mask.
    """

    slots: Tensor
    begun: Tensor | None
    groups: tuple[_DecodeGroup, ...]
    chunks: tuple[_Chunk, ...]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """As `AttentionPlan` says.

        q: [tokens, heads, head_dim]; k, v: [tokens, kv_heads, head_dim]; keys, values: [pages, page_size, kv_heads,
        head_dim]; all in the working dtype. Returns [tokens, heads * head_dim].
        """
        if self.begun is not None:
            keys.index_fill_(0, self.begun, 0)
            values.index_fill_(0, self.begun, 0)
        store(k, v, keys, values, self.slots)
        if len(self.chunks) == 1 and not self.groups:
            return _attend_chunk(q, keys, values, self.chunks[0]).flatten(1)
        out = torch.empty_like(q, memory_format=torch.contiguous_format)
        for chunk in self.chunks:
            out[chunk.first : chunk.last] = _attend_chunk(q[chunk.first : chunk.last], keys, values, chunk)
        for group in self.groups:
            out.index_copy_(0, group.rows, _attend_group(q.index_select(0, group.rows), keys, values, group))
        return out.flatten(1)


def plan_gathered(spans: Sequence[Span], page_size: int, dtype: torch.dtype, device: torch.device) -> GatheredPlan:
    """The plan for spans laid out one after the other. dtype: the working dtype, which masks have too."""
    decodes: list[tuple[int, Span]] = []
    chunks: list[_Chunk] = []
    begun: list[int] = []
    row = 0
    for span in spans:
        if span.count == 1:
            decodes.append((row, span))
        else:
            chunks.append(_chunk(row, span, page_size, dtype, device))
        row += span.count
        last, filled = divmod(span.start + span.count, page_size)
        if filled and span.start <= last * page_size:
            begun.append(span.pages[last])
    groups = []
    for group in _by_length(decodes, page_size):
        if len(group) == 1:
            chunks.append(_chunk(*group[0], page_size, dtype, device))
        else:
            groups.append(_group(group, page_size, dtype, device))
    return GatheredPlan(
        torch.from_numpy(slots_of(spans, page_size)).to(device),
        torch.tensor(begun, device=device) if begun else None,
        tuple(groups),
        tuple(chunks),
    )


def _attend_chunk(q: Tensor, keys: Tensor, values: Tensor, chunk: _Chunk) -> Tensor:
    """The rows of one sequence. q: [rows, heads, head_dim]; keys, values: [pages, page_size, kv_heads, head_dim].

    Returns q's shape and dtype.
    """
    k = (
        _read(keys, chunk.pages).flatten(0, 1)[: chunk.length].transpose(0, 1).unsqueeze(0)
    )  # [1, kv_heads, length, head_dim]
    v = _read(values, chunk.pages).flatten(0, 1)[: chunk.length].transpose(0, 1).unsqueeze(0)
    if len(q) == 1:
        return _attend_folded(q, k, v, None)
    out = functional.scaled_dot_product_attention(
        q.transpose(0, 1).unsqueeze(0), k, v, attn_mask=chunk.mask, is_causal=chunk.is_causal, enable_gqa=True
    )
    return out.squeeze(0).transpose(0, 1)


def _attend_group(q: Tensor, keys: Tensor, values: Tensor, group: _DecodeGroup) -> Tensor:
    """One row per sequence. q: [batch, heads, head_dim]; keys, values: [pages, page_size, kv_heads, head_dim].

    Returns q's shape and dtype.
    """
    batch, (kv_heads, head_dim) = len(q), keys.shape[2:]
    k = keys.index_select(0, group.pages).view(batch, -1, kv_heads, head_dim).transpose(1, 2)
    v = values.index_select(0, group.pages).view(batch, -1, kv_heads, head_dim).transpose(1, 2)
    return _attend_folded(q, k, v, group.mask)


def _attend_folded(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention for one row per sequence, where nothing is expanded: heads that share a key-value head take the axis of
    rows.

    q: [batch, heads, head_dim]; k, v: [batch, kv_heads, length, head_dim]; mask: [batch, 1, 1, length], 0 or -inf. All
    have the working dtype. Returns q's shape and dtype.
    """
    batch, heads, head_dim = q.shape
    folded = q.view(batch, k.shape[1], heads // k.shape[1], head_dim)
    return functional.scaled_dot_product_attention(folded, k, v, attn_mask=mask).reshape(batch, heads, head_dim)


def _read(pool: Tensor, pages: slice | Tensor) -> Tensor:
    """pool: [pages, page_size, kv_heads, head_dim]; pages: a slice, or [n], int64. Returns n pages, any dtype."""
    return pool[pages] if isinstance(pages, slice) else pool.index_select(0, pages)


def _chunk(row: int, span: Span, page_size: int, dtype: torch.dtype, device: torch.device) -> _Chunk:
    length = span.start + span.count
    used = np.asarray(span.pages[: -(-length // page_size)])
    # Neighbouring pages are read in place; a sequence that is alone in the pool always has them.
    is_run = bool((np.diff(used) == 1).all())
    pages = slice(int(used[0]), int(used[-1]) + 1) if is_run else torch.from_numpy(used).to(device)
    mask = None
    if span.count > 1 and span.start > 0:
        mask = torch.full((span.count, length), float("-inf"), dtype=dtype, device=device).triu_(span.start + 1)
    return _Chunk(row, row + span.count, pages, length, mask, is_causal=span.count > 1 and span.start == 0)


def _group(rows: Sequence[tuple[int, Span]], page_size: int, dtype: torch.dtype, device: torch.device) -> _DecodeGroup:
    lengths = np.array([span.start + 1 for _, span in rows])
    width = -(-int(lengths.max()) // page_size)
    pages = np.zeros((len(rows), width), np.int64)
    for table, (_, span) in zip(pages, rows, strict=True):
        used = min(len(span.pages), width)
        table[:used] = span.pages[:used]
    hidden = torch.from_numpy(np.arange(width * page_size) >= lengths[:, None])
    mask = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, float("-inf"))
    return _DecodeGroup(
        torch.tensor([row for row, _ in rows], device=device),
        torch.from_numpy(pages.reshape(-1)).to(device),
        mask[:, None, None, :].to(device),
    )


def _by_length(rows: Sequence[tuple[int, Span]], page_size: int) -> list[list[tuple[int, Span]]]:
    """Split decode rows into groups of similar length: padding costs less than more calls would."""
    groups: list[list[tuple[int, Span]]] = []
    limit = 0
    for row, span in sorted(rows, key=lambda item: item[1].start):
        width = span.start // page_size + 1
        if not groups or width > limit:
            groups.append([])
            limit = max(2 * width, width + _GROUP_PAGES)
        groups[-1].append((row, span))
    return groups
