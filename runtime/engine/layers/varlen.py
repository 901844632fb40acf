"""Causal attention by torch's flash kernels, which read the pages where they are: on a CUDA device, in bfloat16.

`torch.nn.attention.varlen.varlen_attn` (torch 2.12 or newer, https://docs.pytorch.org/docs/2.12/nn.attention.varlen.html)
takes prefill chunks and decode rows in one call. What stands behind it depends on the machine, and with that the page
sizes it reads (`memory/hardware.py`); so a kernel is tried on a small pool before it is used.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from runtime.engine.layers.attention import Span, slots_of, store
from runtime.engine.layers.gathered import plan_gathered
from runtime.engine.memory.hardware import newer_flash_attention

log = logging.getLogger(__name__)

# Two ways of rounding in bfloat16 differ by about 0.4 %; a wrong page, mask or row by all of it.
_AGREES = 0.02


@dataclass(frozen=True)
class VarlenKernel:
    """call: with the signature of `varlen_attn`. counts_keys: whether it wants the cumulative lengths of keys beside
    the lengths: of torch's own kernels some do, newer ones refuse them. may_split: whether a decode row with a long
    context may be attended in parts; how many depends on the batch, and so do the last bits of the result.
    """

    call: Callable[..., Any]
    counts_keys: bool = False
    may_split: bool = True


@dataclass(frozen=True, kw_only=True)
class AttentionSetup:
    """What a kernel is wanted for. page_size: tokens on a page. dtype: of queries, keys and values."""

    heads: int
    kv_heads: int
    head_dim: int
    page_size: int
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True)
class VarlenPlan:
    """One step's addresses on the device.

    slots: [tokens], int64: where each token's key and value go. starts: [sequences + 1], int32: the first row of each
    sequence, and the end. lengths: [sequences], int32: the tokens each reads. table: [sequences, width], int32: their
    pages, of which the first are read. most_rows: of one sequence. longest: at least the largest of the lengths.
    """

    kernel: VarlenKernel
    slots: Tensor
    starts: Tensor
    lengths: Tensor
    table: Tensor
    most_rows: int
    longest: int

    def attend(self, q: Tensor, k: Tensor, v: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """As `AttentionPlan` says.

        q: [tokens, heads, head_dim]; k, v: [tokens, kv_heads, head_dim]; keys, values: [pages, page_size, kv_heads,
        head_dim]; all in the working dtype. Returns [tokens, heads * head_dim].
        """
        store(k, v, keys, values, self.slots)
        is_decode, is_grouped = self.most_rows == 1, q.shape[1] != k.shape[1]
        out: Tensor = self.kernel.call(
            q,
            keys,
            values,
            self.starts,
            self._ends,
            self.most_rows,
            self.longest,
            # The mask is aligned to the last key, so that a single row sees everything: without one, the kernel folds
            # the heads that share a key-value head into one tile.
            window_size=(-1, -1) if is_decode else (-1, 0),
            enable_gqa=is_grouped,
            seqused_k=self.lengths,
            block_table=self.table,
            # In parts only where it is right in every torch: https://github.com/Dao-AILab/flash-attention/pull/2550
            num_splits=None if self.kernel.may_split and is_decode and is_grouped else 1,
        )
        return out.flatten(1)

    @cached_property
    def _ends(self) -> Tensor | None:
        """[sequences + 1], int32: the lengths summed up, for kernels that want that."""
        return functional.pad(self.lengths.cumsum(0), (1, 0)).int() if self.kernel.counts_keys else None


def plan_varlen(kernel: VarlenKernel, spans: Sequence[Span], page_size: int, device: torch.device) -> VarlenPlan:
    """The plan for spans laid out one after the other."""
    counts = [span.count for span in spans]
    lengths = [span.start + span.count for span in spans]
    return VarlenPlan(
        kernel=kernel,
        slots=torch.from_numpy(slots_of(spans, page_size)).to(device),
        starts=torch.tensor([0, *np.cumsum(counts).tolist()], dtype=torch.int32, device=device),
        lengths=torch.tensor(lengths, dtype=torch.int32, device=device),
        table=torch.from_numpy(block_table(spans, page_size)).to(device),
        most_rows=max(counts),
        longest=max(lengths),
    )


def block_table(spans: Sequence[Span], page_size: int, rows: int = 0) -> np.ndarray:
    """The pages of each span, padded with page 0: [spans, those of the longest], int32; `rows` rows at least."""
    width = max(-(-(span.start + span.count) // page_size) for span in spans)
    table = np.zeros((max(len(spans), rows), width), np.int32)
    for row, span in zip(table, spans, strict=False):
        used = min(len(span.pages), width)
        row[:used] = span.pages[:used]
    return table


def find_kernel(setup: AttentionSetup, *, may_split: bool = True) -> VarlenKernel | None:
    """The kernel for such a model on this device; None, with a warning that says why, where none is right."""
    varlen_attn = attention_over_pages()
    if varlen_attn is None:
        log.warning("attention gathers pages, which takes longer: torch 2.12 or newer reads them where they are")
        return None
    reasons = _activate_newer(setup.device)
    for counts_keys in (False, True):
        kernel = VarlenKernel(varlen_attn, counts_keys, may_split)
        why = why_not(kernel, setup)
        if why is None:
            return kernel
        reasons.append(why)
    log.warning("attention gathers pages, which takes longer", extra={"reasons": reasons})
    return None


def attention_over_pages() -> Callable[..., Any] | None:
    """Torch's attention over sequences of various lengths; None in a torch that has none which reads pages."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    takes = inspect.signature(varlen_attn).parameters.values()
    reads_pages = any(one.name == "block_table" or one.kind is inspect.Parameter.VAR_KEYWORD for one in takes)
    return varlen_attn if reads_pages else None


def why_not(kernel: VarlenKernel, setup: AttentionSetup) -> str | None:
    """What a kernel did wrong in a step of decode rows or in a mixed one, beside gathering; None for nothing.

    Where no sequence has a token the pool is NaN, as an earlier sequence may leave it: that must not come through.
    """
    page_size, device = setup.page_size, setup.device
    dice = torch.Generator(device).manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn((*shape, setup.head_dim), generator=dice, device=device).to(setup.dtype)

    pages = 8
    mixed = [Span([5, 2], page_size - 3, 5), Span([7, 1, 4], 2 * page_size + 1, 1), Span([3], 0, page_size - 1)]
    decodes = [Span([6, 2, 1], 3 * page_size - 1, 1), Span([4], 0, 1), Span([5, 7], page_size, 1)]
    for spans in (decodes, mixed):
        rows = sum(span.count for span in spans)
        q, k, v = draw(rows, setup.heads), draw(rows, setup.kv_heads), draw(rows, setup.kv_heads)
        pool = [draw(pages, page_size, setup.kv_heads) for _ in range(2)]
        known = torch.zeros(pages * page_size, dtype=torch.bool, device=device)
        known[torch.from_numpy(slots_of([Span(one.pages, 0, one.start + one.count) for one in spans], page_size))] = (
            True
        )
        expected = plan_gathered(spans, page_size, setup.dtype, device).attend(
            q, k, v, *[part.clone() for part in pool]
        )
        for part in pool:
            part.flatten(0, 1)[~known] = torch.nan
        try:
            found = plan_varlen(kernel, spans, page_size, device).attend(q, k, v, *pool)
            error = float((found - expected).float().norm() / expected.float().norm())
        except Exception as failure:  # whatever a kernel that this build, device or package lacks raises
            return f"{type(failure).__name__}: {failure}".splitlines()[0]
        if not error < _AGREES:
            return f"it is off by {error:.2g} in a step of {[span.count for span in spans]} rows"
    return None


def _activate_newer(device: torch.device) -> list[str]:
    """Put the kernels of a package that suits the device in place of torch's own. Returns why that failed, if so."""
    newer = newer_flash_attention(torch.cuda.get_device_capability(device)[0]) if device.type == "cuda" else None
    if newer is None:
        return []
    try:
        torch.nn.attention.activate_flash_attention_impl(newer)
    except Exception as failure:  # whatever a package of another version raises
        return [f"{newer}: {failure}"]
    return []
