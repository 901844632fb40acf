"""What a process may use is the least of what its own control group and all those above it have."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from runtime import allowance
from runtime.allowance import Memory, memory, usable_cpus

Machine = Callable[[Mapping[str, str]], None]
MEMINFO = {"proc/meminfo": "MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\n"}
SERVICE = {"proc/self/cgroup": "0::/user.slice/llama.service\n"}
OLDER = {"proc/self/cgroup": "7:memory:/jobs/9\n4:cpu,cpuacct:/jobs/9\n1:name=systemd:/other\n0::/\n"}
GB = 10**9


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Makes a machine of 8 CPUs of files: those below `/proc` in `proc`, those of control groups in `groups`."""
    monkeypatch.setattr(allowance, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(allowance, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    def make(files: Mapping[str, str]) -> None:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)

    return make


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"groups/cpu.max": "max 100000\n"}, 8),
        ({"groups/cpu.max": "200000 100000\n"}, 2),
        ({"groups/cpu.max": "350000 100000\n"}, 3),
        ({"groups/cpu.max": "50000 100000\n"}, 1),
        ({"groups/cpu.max": "6400000 100000\n"}, 8),
        ({"groups/cpu.max": "garbage"}, 8),
        ({"groups/cpu/cpu.cfs_quota_us": "-1\n", "groups/cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"groups/cpu/cpu.cfs_quota_us": "400000\n", "groups/cpu/cpu.cfs_period_us": "100000\n"}, 4),
    ],
    ids=str,
)
def test_a_container_s_share_of_the_cpus_is_not_exceeded(
    machine: Machine, files: Mapping[str, str], expected: int
) -> None:
    machine(files)
    assert usable_cpus() == expected


OWN, ABOVE, BESIDE = "user.slice/llama.service", "user.slice", "user.slice/other.service"


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({OWN: "200000 100000"}, 2),
        ({ABOVE: "300000 100000", OWN: "max 100000"}, 3),
        ({ABOVE: "300000 100000", OWN: "500000 100000"}, 3),
        ({ABOVE: "500000 100000", OWN: "300000 100000"}, 3),
        ({BESIDE: "100000 100000"}, 8),
    ],
    ids=str,
)
def test_the_smallest_share_of_a_group_and_those_above_it_counts(
    machine: Machine, shares: Mapping[str, str], expected: int
) -> None:
    machine(SERVICE | {f"groups/{group}/cpu.max": share for group, share in shares.items()})
    assert usable_cpus() == expected


def test_groups_of_version_1_are_found_by_their_controller(machine: Machine) -> None:
    quota = {"groups/cpu/jobs/9/cpu.cfs_quota_us": "300000\n", "groups/cpu/jobs/9/cpu.cfs_period_us": "100000\n"}
    bound = {"groups/memory/jobs/memory.limit_in_bytes": f"{2 * GB}\n"}
    used = {"groups/memory/jobs/memory.usage_in_bytes": f"{GB}\n"}
    machine(MEMINFO | OLDER | quota | bound | used)
    assert usable_cpus() == 3
    assert memory() == Memory(total_bytes=2 * GB, free_bytes=GB)


@pytest.mark.parametrize("said", ["0::/docker/123\n", "0::/../../llama.service\n", "0::/gone (deleted)\n", "", "?\n"])
def test_a_container_that_does_not_see_its_groups_has_the_root_s_bounds(machine: Machine, said: str) -> None:
    machine({"proc/self/cgroup": said, "groups/cpu.max": "200000 100000\n"})
    assert usable_cpus() == 2


def test_memory_without_bounds_is_the_machine_s(machine: Machine) -> None:
    machine(MEMINFO | SERVICE | {f"groups/{OWN}/memory.max": "max\n", f"groups/{OWN}/memory.current": "1000\n"})
    assert memory() == Memory(total_bytes=8_192_000_000, free_bytes=4_096_000_000)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({"": (2 * GB, 1.5 * GB, 0)}, (2 * GB, 0.5 * GB)),
        ({"": (2 * GB, 1.5 * GB, 1.2 * GB)}, (2 * GB, 1.7 * GB)),
        ({OWN: (2 * GB, 1.5 * GB, 0)}, (2 * GB, 0.5 * GB)),
        ({ABOVE: (3 * GB, 2.9 * GB, 0), OWN: (2 * GB, 1 * GB, 0)}, (2 * GB, 0.1 * GB)),
        ({OWN: (2 * GB, 2.1 * GB, 0)}, (2 * GB, 0)),
        ({OWN: (6 * GB, 1 * GB, 0)}, (6 * GB, 4_096_000_000)),
        ({OWN: (9 * GB, 8 * GB, 0)}, (8_192_000_000, 1 * GB)),
        ({BESIDE: (1 * GB, 1 * GB, 0)}, (8_192_000_000, 4_096_000_000)),
    ],
    ids=["a container", "with files in its cache", "a service", "the group above is fuller", "over its bound",
         "the machine is fuller", "a bound above what there is", "beside"],
)  # fmt: skip
def test_memory_is_what_every_group_leaves(
    machine: Machine, groups: Mapping[str, tuple[float, float, float]], expected: tuple[float, float]
) -> None:
    machine(MEMINFO | SERVICE)
    for group, facts in groups.items():
        limit, used, cached = map(int, facts)
        found = {"memory.max": f"{limit}\n", "memory.current": f"{used}\n", "memory.stat": f"inactive_file {cached}\n"}
        machine({f"groups/{group}/{name}": content for name, content in found.items()})
    assert (memory().total_bytes, memory().free_bytes) == expected


def test_a_system_without_proc_says_what_it_has_and_not_what_is_free(machine: Machine) -> None:
    found = memory()
    assert found.total_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found.free_bytes is None
