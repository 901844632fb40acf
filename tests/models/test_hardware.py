"""How many CPUs this process has the time of: those it may run on, within what its container gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from runtime.engine import hardware


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "350000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "6400000 100000\n"}, 8),
        ({"cpu.max": "garbage"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
    ],
    ids=str,
)
def test_a_container_s_share_of_the_cpus_is_not_exceeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: int
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert hardware.usable_cpus() == expected


@pytest.mark.parametrize(("asked", "usable", "expected"), [(None, 1, 1), (2, 1, 2), (None, 1000, 3)])
def test_torch_keeps_within_it_too(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, usable: int, expected: int
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(hardware, "usable_cpus", lambda: usable)
    try:
        torch.set_num_threads(3)  # stands for what it takes by itself
        hardware.set_torch_threads(asked)
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
