"""What is measured of this machine: memory within its bounds, and how many threads torch takes."""

from __future__ import annotations

import pytest
import torch

from runtime import own_process
from runtime.allowance import Memory
from runtime.engine.memory import hardware


@pytest.mark.parametrize(("total", "free", "expected"), [(80, 30, 30), (80, 0, 0), (80, None, 40)])
def test_without_a_word_about_free_memory_it_is_half(
    monkeypatch: pytest.MonkeyPatch, total: int, free: int | None, expected: int
) -> None:
    monkeypatch.setattr(hardware, "memory", lambda: Memory(total_bytes=total, free_bytes=free))
    assert hardware.probe_hardware(with_torch=False).available_bytes == expected


@pytest.mark.parametrize(
    ("asked", "usable", "is_ours", "expected"),
    [(None, 1, True, 1), (2, 1, True, 2), (None, 1000, True, 3), (None, 1, False, 3), (2, 1, False, 2)],
)
def test_torch_keeps_within_the_usable_cpus(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, usable: int, is_ours: bool, expected: int
) -> None:
    """In a process that is ours alone: in a program with the stack as a library, only what its config says is set."""
    monkeypatch.setattr(own_process, "_is_ours", is_ours)
    before = torch.get_num_threads()
    monkeypatch.setattr(hardware, "usable_cpus", lambda: usable)
    try:
        torch.set_num_threads(3)  # stands for what it takes by itself
        hardware.set_torch_threads(asked)
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
