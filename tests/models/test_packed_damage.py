"""A damaged file of quantised weights: refused with its name, and the tensor's, before any weight is read."""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from runtime.engine.checkpoints.model_config import CheckpointInvalid, RopeScaling
from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.running import loading
from runtime.engine.running.loading import loaded_runner, plan_model
from runtime.engine.running.options import EngineOptions
from runtime.errors import StackError
from tests.support.tiny_packed import PACKED, write_quantised


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_quantised(tmp_path)


@pytest.fixture(autouse=True)
def no_weight_is_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("_packed", "_on_torch"):
        monkeypatch.setattr(loading, name, lambda *_: pytest.fail("weights are read"))
    yield


def refused(path: Path, said: str) -> None:
    loading_it = loaded_runner(EngineOptions(model=path, device="cpu"), lambda: None)
    with pytest.raises(CheckpointInvalid, match=said) as caught, loading_it:
        pass
    assert path.name in caught.value.message


def entry(data: bytes, name: str) -> int:
    """Where the number of a tensor's dimensions stands, then each of them (uint64), its type and its place."""
    written = name.encode()
    return data.index(struct.pack("<Q", len(written)) + written) + 8 + len(written)


def test_a_sound_file_is_packed(path: Path) -> None:
    assert plan_model(EngineOptions(model=path, device="cpu")).is_packed


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_anywhere_is_refused(path: Path, share: float) -> None:
    whole = path.read_bytes()
    last = max(gguf.GGUFReader(path).tensors, key=lambda tensor: int(tensor.data_offset))
    path.write_bytes(whole[: int(share * (int(last.data_offset) + int(last.n_bytes)))])
    refused(path, "is empty" if share == 0 else "tensor `.+` should end at byte" if share > 0.4 else "tiny.gguf")


@pytest.mark.parametrize("kind", ["F32", "F16", "Q4_0", "Q4_1", "Q5_1", "Q2_K", "Q4_K", "I32"])
@pytest.mark.parametrize("name", ["token_embd.weight", "blk.1.attn_q.weight", "blk.2.ffn_down.weight"])
def test_a_tensor_of_another_type_than_it_has_is_refused(path: Path, kind: str, name: str) -> None:
    data = bytearray(path.read_bytes())
    place = entry(data, name) + 4 + 2 * 8
    assert data[place : place + 4] == struct.pack("<I", gguf.GGMLQuantizationType.Q8_0)
    data[place : place + 4] = struct.pack("<I", gguf.GGMLQuantizationType[kind])
    path.write_bytes(data)
    refused(path, "tensor `")


def test_a_tensor_of_an_unknown_type_is_refused(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = entry(data, "blk.0.ffn_up.weight") + 4 + 2 * 8
    data[place : place + 4] = struct.pack("<I", 99)
    path.write_bytes(data)
    refused(path, "tensor `blk.0.ffn_up.weight` has the unknown type 99")


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan, np.inf])
def test_rotary_factors_that_are_no_factors_are_refused(tmp_path: Path, factor: float) -> None:
    scaling = RopeScaling(kind="factors", factors=(*[1.0] * 7, factor))
    refused(
        write_quantised(tmp_path, replace(PACKED, rope_scaling=scaling)), "a rotary factor is not a positive number"
    )


def test_damage_in_the_header_never_escapes_as_another_error(path: Path) -> None:
    draws = np.random.default_rng(3)
    whole = path.read_bytes()
    header = min(int(tensor.data_offset) for tensor in gguf.GGUFReader(path).tensors)
    refusals = 0
    for _ in range(300):
        data = bytearray(whole)
        for place in draws.integers(0, header, 2):
            data[place] = draws.integers(0, 256)
        path.write_bytes(data)
        try:
            plan_model(EngineOptions(model=path, device="cpu"))
        except CheckpointInvalid as error:
            refusals += 1
            assert "tiny.gguf" in error.message
        except StackError as error:
            assert error.status == 503, error  # too large, as what it claims to be
    assert refusals > 50


def test_a_file_that_is_refused_is_closed(path: Path) -> None:
    """Also where the error is part of a circle, as errors that are kept are: pytest fails on a warning about it."""
    path.write_bytes(path.read_bytes()[:-100])
    for _ in range(20):
        kept: list[object] = []
        with pytest.raises(CheckpointInvalid) as caught:
            open_checkpoint(path)
        kept += [caught.value, kept]
        del kept, caught
    gc.collect()
