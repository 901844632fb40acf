"""Attention over pages, computed slowly and obviously behind the signature of torch's `varlen_attn`: where there is no
GPU, plans are held against its documentation by this.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def slow_varlen_attn(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor | None,
    max_q: int,
    max_k: int,
    *,
    window_size: tuple[int, int] = (-1, -1),
    enable_gqa: bool = False,
    seqused_k: Tensor | None = None,
    block_table: Tensor | None = None,
    num_splits: int | None = None,
) -> Tensor:
    """https://docs.pytorch.org/docs/2.12/nn.attention.varlen.html: of its options those for pages, without gradients.

    Masks are aligned to the last key, as FlashAttention's are since version 2.1.
    """
    assert seqused_k is not None and block_table is not None
    assert {tensor.dtype for tensor in (cu_seq_q, seqused_k, block_table)} == {torch.int32}
    assert cu_seq_q.is_contiguous() and seqused_k.is_contiguous() and block_table.stride(1) == 1
    sequences = len(seqused_k)
    assert cu_seq_q.shape == (sequences + 1,) and len(block_table) == sequences and int(cu_seq_q[-1]) == len(query)
    if cu_seq_k is not None:
        assert cu_seq_k.dtype == torch.int32 and cu_seq_k.tolist() == [0, *seqused_k.cumsum(0).tolist()]
    assert int(cu_seq_q.diff().max()) <= max_q and int(seqused_k.max()) <= max_k
    assert window_size in ((-1, -1), (-1, 0)) and num_splits in (None, 1)
    heads, kv_heads = query.shape[1], key.shape[2]
    assert enable_gqa or heads == kv_heads
    out = torch.empty_like(query, memory_format=torch.contiguous_format)
    for number in range(sequences):
        first, last, length = int(cu_seq_q[number]), int(cu_seq_q[number + 1]), int(seqused_k[number])
        pages = block_table[number, : -(-length // key.shape[1])].long()
        keys, values = key[pages].flatten(0, 1)[:length], value[pages].flatten(0, 1)[:length]
        for row in range(first, last):
            seen = length - (last - 1 - row) if window_size == (-1, 0) else length
            for head in range(heads):
                shared = head // (heads // kv_heads)
                scores = keys[:seen, shared].double() @ query[row, head].double() / math.sqrt(query.shape[2])
                out[row, head] = (scores.softmax(0) @ values[:seen, shared].double()).to(out.dtype)
    return out


def recordable_varlen_attn(query: Tensor, key: Tensor, value: Tensor, *lengths: object, **options: object) -> Tensor:
    """The same; steps of one row a sequence by operators that depend on no value, so that they can be recorded."""
    used, table = options["seqused_k"], options["block_table"]
    assert isinstance(used, Tensor) and isinstance(table, Tensor)
    if len(used) < len(query):
        return slow_varlen_attn(query, key, value, *lengths, **options)  # type: ignore[arg-type]  # as they came
    sequences, (kv_heads, head_dim) = len(query), key.shape[2:]
    keys, values = (pool[table.long()].flatten(1, 2).double() for pool in (key, value))  # [sequences, tokens, ...]
    folded = query.double().reshape(sequences, kv_heads, -1, head_dim)
    scores = torch.einsum("skgd,stkd->skgt", folded, keys) / math.sqrt(head_dim)
    unseen = torch.arange(keys.shape[1]) >= used[:, None]
    weights = scores.masked_fill(unseen[:, None, None], -math.inf).softmax(-1)
    return torch.einsum("skgt,stkd->skgd", weights, values).reshape(query.shape).to(query.dtype)
