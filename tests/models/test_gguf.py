"""GGUF files: block formats against gguf's own decoders, metadata round trips, damage."""

from __future__ import annotations

import os
from pathlib import Path

import gguf
import numpy as np
import pytest

from runtime.engine.checkpoints.dequantize import FORMATS, dequantize
from runtime.engine.checkpoints.gguf_file import read_gguf
from runtime.engine.checkpoints.model_config import CheckpointInvalid
from tests.support.llama_cpp import shipped_gguf

DECODED = {format.name: format for format in FORMATS.values() if format.decode is not None}
# Where a block keeps its float16 scales: random bits there could be infinities.
SCALES = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
}


def blocks(name: str, count: int) -> np.ndarray:
    """Random blocks with finite scales, as bytes."""
    random = np.random.default_rng(len(name) * 1000 + count)
    format = DECODED[name]
    if name in ("F32", "F16", "BF16"):
        values = random.standard_normal(count).astype(np.float32)
        if name == "BF16":
            return (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
        return values.astype(np.float16 if name == "F16" else np.float32).view(np.uint8)
    data = random.integers(0, 256, (count, format.size_bytes), np.uint8)
    for start in SCALES[name]:
        data[:, start : start + 2] = random.standard_normal((count, 1)).astype(np.float16).view(np.uint8)
    return data.reshape(-1)


@pytest.mark.parametrize("name", DECODED)
def test_decodes_to_the_last_bit_as_gguf_does(name: str) -> None:
    data = blocks(name, 3001)  # more than one round of every format
    ours = dequantize(data, DECODED[name])
    kind = gguf.GGMLQuantizationType[name]
    stored = {"F32": np.float32, "F16": np.float16}.get(name)
    theirs = gguf.quants.dequantize(data.view(stored) if stored else data.reshape(1, -1), kind)
    assert np.array_equal(ours, theirs.reshape(-1).astype(np.float32))


def test_block_sizes_are_those_of_ggml() -> None:
    for number, format in FORMATS.items():
        kind = gguf.GGMLQuantizationType(number)
        assert (kind.name, *gguf.GGML_QUANT_SIZES[kind]) == (format.name, format.elements, format.size_bytes)


def test_writes_into_the_array_it_is_given() -> None:
    out = np.full(64, np.nan, np.float32)
    result = dequantize(blocks("Q8_0", 2), DECODED["Q8_0"], out)
    assert result is out
    assert np.isfinite(out).all()


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint8("n.u8", 200)
    writer.add_int8("n.i8", -3)
    writer.add_uint16("n.u16", 60000)
    writer.add_int16("n.i16", -30000)
    writer.add_uint32("n.u32", 4_000_000_000)
    writer.add_int32("n.i32", -5)
    writer.add_float32("n.f32", 0.5)
    writer.add_float64("n.f64", 0.1)
    writer.add_uint64("n.u64", 2**63)
    writer.add_int64("n.i64", -(2**40))
    writer.add_bool("n.bool", True)
    writer.add_string("words", "Grüße")
    writer.add_array("strings", ["a", "", "日本"])
    writer.add_array("ints", [1, 2, 3])
    writer.add_array("floats", [0.5, 1.5])
    writer.add_array("flags", [True, False])
    writer.add_tensor("matrix", np.arange(12, dtype=np.float32).reshape(3, 4))
    writer.add_tensor("half", np.ones((2, 2), np.float16))
    quantised = gguf.quants.quantize(
        np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64), gguf.GGMLQuantizationType.Q8_0
    )
    writer.add_tensor("blocks", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_reads_every_kind_of_metadata(small_file: Path) -> None:
    facts = read_gguf(small_file).metadata
    scalars = {key: value for key, value in facts.items() if key.startswith("n.")}
    assert scalars == {
        "n.u8": 200,
        "n.i8": -3,
        "n.u16": 60000,
        "n.i16": -30000,
        "n.u32": 4_000_000_000,
        "n.i32": -5,
        "n.f32": 0.5,
        "n.f64": 0.1,
        "n.u64": 2**63,
        "n.i64": -(2**40),
        "n.bool": True,
    }
    assert facts["words"] == "Grüße"
    assert facts["strings"] == ["a", "", "日本"]
    assert facts["ints"].tolist() == [1, 2, 3]
    assert facts["floats"].tolist() == [0.5, 1.5]
    assert facts["flags"].tolist() == [True, False]


def test_tensors_have_their_axes_outermost_first(small_file: Path) -> None:
    tensors = read_gguf(small_file).tensors
    assert {name: (tensor.shape, tensor.type) for name, tensor in tensors.items()} == {
        "matrix": ((3, 4), "F32"),
        "half": ((2, 2), "F16"),
        "blocks": ((2, 64), "Q8_0"),
    }
    assert np.array_equal(tensors["matrix"].dequantize(), np.arange(12).reshape(3, 4))
    assert np.abs(tensors["blocks"].dequantize().reshape(-1) - np.linspace(-1, 1, 128)).max() < 0.01


def test_tensors_outlive_the_file_object(small_file: Path) -> None:
    matrix = read_gguf(small_file).tensors["matrix"]
    assert matrix.dequantize().sum() == 66


def test_a_file_that_is_cut_after_it_was_opened_is_an_error(small_file: Path) -> None:
    tensors = read_gguf(small_file).tensors
    os.truncate(small_file, 100)
    for read in (tensors["matrix"].read, tensors["matrix"].dequantize):
        with pytest.raises(CheckpointInvalid, match="was changed while it was read"):
            read()


def test_a_file_that_is_written_over_after_it_was_opened_is_an_error(small_file: Path) -> None:
    matrix = read_gguf(small_file).tensors["matrix"]
    small_file.write_bytes(bytes(small_file.stat().st_size))
    os.utime(small_file, (1, 1))  # clocks of file systems stand still for some milliseconds
    with pytest.raises(CheckpointInvalid, match="was changed while it was read"):
        matrix.read()


def test_a_file_that_takes_the_name_of_an_open_one_is_another(small_file: Path) -> None:
    matrix = read_gguf(small_file).tensors["matrix"]
    before = matrix.dequantize()
    (other := small_file.with_name("other")).write_bytes(b"x")
    other.replace(small_file)
    assert np.array_equal(matrix.dequantize(), before)


def test_a_file_cut_anywhere_is_refused_with_its_name(small_file: Path) -> None:
    whole = small_file.read_bytes()
    # The last tensor ends before the padding that the writer adds to the file.
    end = max(t.data_offset + t.n_bytes for t in gguf.GGUFReader(small_file).tensors)
    for size in range(int(end)):
        small_file.write_bytes(whole[:size])
        with pytest.raises(CheckpointInvalid, match=r"small\.gguf"):
            read_gguf(small_file)
    small_file.write_bytes(whole[: int(end)])
    assert len(read_gguf(small_file).tensors) == 3


@pytest.mark.parametrize(
    ("at", "new", "said"),
    [
        (0, b"GGML", "starts with"),
        (4, (9).to_bytes(4, "little"), "version is 9"),
        (4, (3).to_bytes(4, "big"), "big-endian"),
        (8, (2**60).to_bytes(8, "little"), "claims"),
        (16, (2**60).to_bytes(8, "little"), "claims"),
        (24, (2**62).to_bytes(8, "little"), "ends inside a metadata key"),
    ],
)
def test_damage_in_the_header_is_named(small_file: Path, at: int, new: bytes, said: str) -> None:
    data = bytearray(small_file.read_bytes())
    data[at : at + len(new)] = new
    small_file.write_bytes(data)
    with pytest.raises(CheckpointInvalid, match=said):
        read_gguf(small_file)


def test_damage_never_escapes_as_another_error(small_file: Path) -> None:
    random = np.random.default_rng(5)
    whole = small_file.read_bytes()
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            data[place] = random.integers(0, 256)
        small_file.write_bytes(data)
        try:
            for tensor in read_gguf(small_file).tensors.values():
                tensor.dequantize()
        except CheckpointInvalid as error:
            refused += 1
            assert "small.gguf" in str(error)
    assert refused > 100


def test_a_type_without_a_decoder_is_named_when_it_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("odd", np.zeros((1, 84), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q2_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensor = read_gguf(path).tensors["odd"]
    with pytest.raises(CheckpointInvalid, match=r"`odd` of `.*odd\.gguf` is stored as Q2_K"):
        tensor.dequantize()


def test_missing_and_empty_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointInvalid, match="cannot be opened: No such file"):
        read_gguf(tmp_path / "none.gguf")
    (tmp_path / "empty.gguf").touch()
    with pytest.raises(CheckpointInvalid, match="is empty"):
        read_gguf(tmp_path / "empty.gguf")


@pytest.mark.smollm2
def test_the_shipped_vocabulary_is_read_whole() -> None:
    path = shipped_gguf()
    facts = read_gguf(path).metadata
    theirs = gguf.GGUFReader(path)
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.merges"):
        assert facts[key] == theirs.fields[key].contents()
