"""Plans for flash attention over pages, beside gathering. There is no GPU here: torch's kernels were not run, only what
they are given; an implementation of their documentation stands in for them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from runtime.engine.layers import varlen
from runtime.engine.layers.attention import Span, slots_of
from runtime.engine.layers.gathered import plan_gathered
from runtime.engine.layers.varlen import AttentionSetup, VarlenKernel, find_kernel, plan_varlen, why_not
from runtime.engine.memory import hardware
from tests.support.paged_attention import recordable_varlen_attn, slow_varlen_attn

CPU = torch.device("cpu")
PAGE, PAGES = 4, 16
DECODES = [Span([3, 1], 6, 1), Span([9], 0, 1), Span([2, 5, 8], 8, 1), Span([4], 3, 1)]
MIXED = [Span([3, 1], 2, 5), Span([9], 0, 1), Span([2, 5, 8], 0, 11), Span([4, 6], 4, 1)]


def attended(plan: Any, heads: int, kv_heads: int, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """What attention gives on drawn tensors, and the pools it wrote."""
    dice = torch.Generator().manual_seed(1)
    q, k, v, keys, values = (
        torch.randn(shape, generator=dice)
        for shape in [(rows, heads, 8), *[(rows, kv_heads, 8)] * 2, *[(PAGES, PAGE, kv_heads, 8)] * 2]
    )
    return plan.attend(q, k, v, keys, values), keys, values


@pytest.mark.parametrize("counts_keys", [False, True])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 2), (2, 2)])
@pytest.mark.parametrize("spans", [DECODES, MIXED], ids=["decodes", "mixed"])
def test_reading_pages_in_place_equals_gathering_them(
    spans: list[Span], heads: int, kv_heads: int, counts_keys: bool
) -> None:
    rows = sum(span.count for span in spans)
    kernel = VarlenKernel(slow_varlen_attn, counts_keys)
    ours = attended(plan_varlen(kernel, spans, PAGE, CPU), heads, kv_heads, rows)
    theirs = attended(plan_gathered(spans, PAGE, torch.float32, CPU), heads, kv_heads, rows)
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-5)
    # Gathering clears what lies behind the tokens, too.
    written = slots_of(spans, PAGE)
    for our, their in zip(ours[1:], theirs[1:], strict=True):
        assert torch.equal(our.flatten(0, 1)[written], their.flatten(0, 1)[written])


@pytest.mark.parametrize(
    ("spans", "heads", "may_split", "splits"),
    [(DECODES, 4, True, None), (DECODES, 4, False, 1), (DECODES, 2, True, 1), (MIXED, 4, True, 1)],
    ids=["decodes", "decodes, not to be split", "ungrouped decodes", "mixed"],
)
def test_contexts_are_split_only_where_every_torch_does_it_right(
    spans: list[Span], heads: int, may_split: bool, splits: int | None
) -> None:
    asked = []

    def kernel(*args: Any, **options: Any) -> Tensor:
        asked.append(options["num_splits"])
        return slow_varlen_attn(*args, **options)

    plan = plan_varlen(VarlenKernel(kernel, may_split=may_split), spans, PAGE, CPU)
    attended(plan, heads, 2, sum(span.count for span in spans))
    assert asked == [splits]


SETUP = AttentionSetup(heads=4, kv_heads=2, head_dim=8, page_size=PAGE, dtype=torch.float32, device=CPU)


def ignoring(**wrong: Any) -> Callable[..., Tensor]:
    return lambda *args, **options: slow_varlen_attn(*args, **{**options, **wrong})


def refusing(*args: Any, **options: Any) -> Tensor:
    raise RuntimeError("Paged KV cache block size must be divisible by 256\nException raised from mha_varlen_fwd")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (slow_varlen_attn, None),
        (ignoring(window_size=(-1, -1)), "it is off by"),
        (lambda *args, **options: slow_varlen_attn(*args, **options) * torch.nan, "it is off by nan"),
        (recordable_varlen_attn, "it is off by nan"),
        (refusing, "RuntimeError: Paged KV cache block size must be divisible by 256"),
        (lambda *args: args[0], "TypeError: "),
    ],
    ids=["right", "without a mask", "not finite", "weighing what is past the end", "refusing", "of an older torch"],
)
def test_a_kernel_is_tried_before_it_is_used(call: Callable[..., Tensor], reason: str | None) -> None:
    found = why_not(VarlenKernel(call), SETUP)
    assert found is None if reason is None else found is not None and found.startswith(reason) and "\n" not in found


def test_where_no_kernel_works_pages_are_gathered_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """torch's own has no CPU implementation."""
    assert find_kernel(replace(SETUP, dtype=torch.bfloat16)) is None
    [record] = caplog.records
    assert record.message == "attention gathers pages, which takes longer"
    assert len(record.reasons) == 2 and all("_flash_attention_forward" in reason for reason in record.reasons)


@pytest.mark.parametrize("counts_keys", [False, True])
def test_the_way_of_calling_that_works_is_taken(monkeypatch: pytest.MonkeyPatch, counts_keys: bool) -> None:
    def only(*args: Any, **options: Any) -> Tensor:
        assert (args[4] is not None) == counts_keys
        return slow_varlen_attn(*args, **options)

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", only)
    assert find_kernel(SETUP, may_split=False) == VarlenKernel(only, counts_keys, may_split=False)


def test_a_torch_whose_attention_reads_no_pages_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of torch 2.11."""

    def older(query: Tensor, key: Tensor, value: Tensor, cu_seq_q: Tensor, cu_seq_k: Tensor, max_q: int) -> Tensor:
        raise AssertionError("it is not called")

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", older)
    assert find_kernel(SETUP) is None


def test_torch_takes_what_we_pass() -> None:
    """By its signature, and by its registered shapes on tensors without memory, grouped and with lengths only."""
    from torch.nn.attention.varlen import varlen_attn

    ours, theirs = (inspect.signature(function).parameters for function in (slow_varlen_attn, varlen_attn))
    assert ours.keys() <= theirs.keys()
    assert all(ours[name].kind == theirs[name].kind for name in ours)
    meta = torch.device("meta")
    q, k, v = (torch.empty(7, heads, 8, dtype=torch.bfloat16, device=meta) for heads in (4, 2, 2))
    pool = torch.empty(PAGES, 256, 2, 8, dtype=torch.bfloat16, device=meta)
    plan = plan_varlen(VarlenKernel(varlen_attn), [Span([3], 2, 5), Span([9], 0, 1), Span([2], 7, 1)], 256, CPU)
    on_meta = varlen.VarlenPlan(
        **{
            name: value.to(meta) if isinstance(value, Tensor) else value
            for name, value in ((name, getattr(plan, name)) for name in plan.__dataclass_fields__)
        }
    )
    assert on_meta.attend(q, k, v, pool, pool).shape == (7, 32)


@pytest.mark.parametrize(
    ("major", "installed", "name", "page_tokens"),
    [
        (7, (), None, None),
        (8, (), None, 256),
        (8, ("flash_attn_interface",), None, 256),
        (9, (), None, 256),
        (9, ("flash_attn_interface",), "FA3", None),
        (10, ("flash_attn.cute.interface",), "FA4", None),
    ],
)
def test_large_pages_are_for_torchs_own_kernel(
    monkeypatch: pytest.MonkeyPatch, major: int, installed: tuple[str, ...], name: str | None, page_tokens: int | None
) -> None:
    monkeypatch.setattr(hardware.importlib.util, "find_spec", lambda module: module if module in installed else None)
    assert hardware.newer_flash_attention(major) == name
    assert hardware.flash_page_tokens(major) == page_tokens
