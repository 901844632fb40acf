"""What was compiled is kept, and a kept file that is damaged is made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from llvmlite import ir

from runtime.engine.kernels import compiled as compiling
from runtime.engine.kernels.builder import FLOATS, POINTER, Kernel
from runtime.engine.kernels.compiled import Compiled, compile_module, compiled, host_features


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
    before = kept.stat().st_mtime_ns
    monkeypatch.setattr(compiling, "_compiled", lambda *_: pytest.fail("it is compiled again"))
    assert doubles(compiled("doubling", doubling, kept.parent))
    assert kept.stat().st_mtime_ns == before


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


def test_other_modules_and_other_sources_are_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled("doubling", doubling, tmp_path)
    compiled("doubling, of another shape", doubling, tmp_path)
    monkeypatch.setattr(compiling, "_source_digest", lambda: "another")
    compiled("doubling", doubling, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_module_can_do_with_fewer_features() -> None:
    fewer = frozenset(name for name in host_features() if not name.startswith("avx"))
    assert doubles(compile_module(doubling(), fewer))


def test_a_function_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="triple"):
        compile_module(doubling()).function("triple")
