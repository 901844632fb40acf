"""GPUs and their drivers, and whether a distribution has the build of torch that uses them.

Asks the vendors' own tools, whose output is a table of values separated by commas.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from llama_cli.checkup.findings import Check, Finding, Patient, error, ok, warning
from llama_cli.programs import answer_of

_LIMIT_S = 10.0
_DRIVER = Path("/proc/driver/nvidia")
_ROCM = Path("/dev/kfd")
_QUERY = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


def gpu(patient: Patient) -> Iterator[Finding]:
    """NVIDIA's, AMD's, Apple's; none is no fault."""
    tool = shutil.which("nvidia-smi", path=patient.environment.get("PATH"))
    if tool is not None:
        yield from _nvidia(patient, tool)
    elif _DRIVER.exists():
        fix = "install the driver's tools (`nvidia-utils`), or start the container with `--gpus all`"
        cause = "its tool `nvidia-smi` is not on the PATH, so that nothing can be said of it"
        yield warning("gpu/no-tool", "the kernel has NVIDIA's driver", cause=cause, fix=fix)
    elif _ROCM.exists():
        yield ok("gpu/amd", "an AMD GPU with the ROCm driver; our engine uses it with a ROCm build of torch")
    elif sys.platform == "darwin":
        yield ok("gpu/apple", "Apple's GPU is there; our engine runs on the processor")
    else:
        yield ok("gpu/none", "no GPU: models of ours run on the processor")


def _nvidia(patient: Patient, tool: str) -> Iterator[Finding]:
    try:
        answer = answer_of([tool, *_QUERY], limit_s=_LIMIT_S)
        said = (answer.stdout if answer.returncode == 0 else answer.stderr or answer.stdout).strip()
        failed = answer.returncode != 0
    except (OSError, subprocess.TimeoutExpired) as problem:
        said, failed = str(problem), True
    if failed:
        fix = "reboot after an update of the driver, or install it again"
        first = said.splitlines()[0] if said else "it says nothing"
        yield error("gpu/driver", "NVIDIA's driver does not work", cause=f"`nvidia-smi`: {first}", fix=fix)
        return
    for line in said.splitlines():
        name, *facts = (part.strip() for part in line.split(","))
        if len(facts) != 2:
            yield warning("gpu/unknown", "NVIDIA's driver works, and names no GPU", cause=f"`nvidia-smi`: {line}")
            return
        memory, driver = facts
        yield ok("gpu/nvidia", f"{name}, {memory}, driver {driver}")
    for each in patient.distributions:
        if each.folder is not None and _has_cpu_torch(each.folder):
            said = f"`{each.name}` has a torch without CUDA, so that its models run on the processor"
            fix = f"LLAMA_TORCH=cuda llama stack build {each.target}"
            yield warning("gpu/unused", said, about=each.name, fix=fix)


def _has_cpu_torch(folder: Path) -> bool:
    from llama_cli.packages.lock import packages_of, read_lock
    from runtime.config.home import LOCK

    packages = packages_of(read_lock(folder / LOCK)[1])
    return any(package.name == "torch" and package.version.endswith("+cpu") for package in packages)


CHECKS = (Check(name="gpu", ask=gpu),)
