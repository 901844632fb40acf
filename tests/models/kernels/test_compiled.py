"""What was compiled is kept, and a kept file that is damaged is made again."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import numpy as np
import pytest
from llvmlite import ir

from runtime.engine.kernels import compiled as compiling
from runtime.engine.kernels.builder import FLOATS, POINTER, Kernel
from runtime.engine.kernels.compiled import Compiled, compiled


def doubling() -> ir.Module:
    module = ir.Module("doubling")
    kernel = Kernel(module, "double", x=POINTER)
    kernel.store(kernel.load(kernel["x"], FLOATS) * 2.0, kernel["x"])
    kernel.end()
    return module


def doubles(code: Compiled) -> bool:
    import ctypes

    x = np.arange(16, dtype=np.float32)
    code.function("double", ctypes.c_void_p)(x.ctypes.data)
    return np.array_equal(x, np.arange(16) * 2)


def test_what_was_compiled_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doubles(compiled("doubling", doubling, tmp_path / "new" / "folder"))
    [kept] = (tmp_path / "new" / "folder").iterdir()
    before = kept.stat().st_ino
    monkeypatch.setattr(compiling, "_compiled", lambda *_: pytest.fail("it is compiled again"))
    assert doubles(compiled("doubling", doubling, kept.parent))
    assert kept.stat().st_ino == before


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 500])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: bytes) -> None:
    compiled("doubling", doubling, tmp_path)
    [kept] = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:40] + damage)
    assert doubles(compiled("doubling", doubling, tmp_path))
    assert len(kept.read_bytes()) == len(whole)


def test_a_folder_that_cannot_be_written_costs_a_compilation_only(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    assert doubles(compiled("doubling", doubling, place))


def test_a_full_disk_costs_a_compilation_only_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        assert doubles(compiled("doubling", doubling, tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_made_again(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    compiled("doubling", doubling, tmp_path)
    [kept] = tmp_path.iterdir()
    first = kept.stat().st_ino
    kept.chmod(mode)
    assert doubles(compiled("doubling", doubling, tmp_path))
    assert "others can write" in caplog.text
    assert (kept.stat().st_ino, kept.stat().st_mode & 0o777) != (first, mode) and not kept.stat().st_mode & 0o022


def test_a_file_of_another_user_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled("doubling", doubling, tmp_path)
    [kept] = tmp_path.iterdir()
    facts = list(kept.stat())
    facts[stat.ST_UID] = 12345
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result(facts))
    is_compiled: list[object] = []
    make = compiling._compiled
    monkeypatch.setattr(compiling, "_compiled", lambda *given: is_compiled.append(1) or make(*given))
    assert doubles(compiled("doubling", doubling, tmp_path))
    assert is_compiled


def test_what_was_not_used_for_longest_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_MOST_KEPT", 2)
    compiled("one", doubling, tmp_path)
    [one] = tmp_path.iterdir()
    os.utime(one, (1, 1))
    compiled("two", doubling, tmp_path)
    [two] = set(tmp_path.iterdir()) - {one}
    os.utime(two, (2, 2))
    compiled("one", doubling, tmp_path)  # is read, so it is used now
    compiled("three", doubling, tmp_path)
    assert two not in (left := list(tmp_path.iterdir())) and one in left and len(left) == 2


def test_other_modules_and_other_sources_are_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled("doubling", doubling, tmp_path)
    compiled("doubling, of another shape", doubling, tmp_path)
    monkeypatch.setattr(compiling, "_source_digest", lambda: "another")
    compiled("doubling", doubling, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_function_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="triple"):
        compiled("doubling", doubling, None).function("triple")
