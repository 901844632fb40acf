"""The same weights through every format, and every way a checkpoint can be wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from runtime.engine.checkpoints.model_config import CheckpointInvalid, RopeScaling
from runtime.engine.checkpoints.opening import open_checkpoint
from runtime.engine.checkpoints.safetensors_header import check_float, read_header
from tests.support.tiny_llama import (
    LLAMA3,
    Writer,
    load_runner,
    random_weights,
    tiny_config,
    write_gguf,
    write_hugging_face,
    write_meta,
)

WRITERS: dict[str, Writer] = {
    "gguf": lambda folder, config, weights: write_gguf(folder / "tiny.gguf", config, weights),
    "hugging face": write_hugging_face,
    "hugging face, 3 files": partial(write_hugging_face, files=3),
    "meta": write_meta,
    "meta, 2 shards": partial(write_meta, shards=2),
    "meta, 2 shards as Llama 2": partial(write_meta, shards=2, embedding_axis=1),
}


@pytest.mark.parametrize("is_tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("writer", WRITERS)
def test_every_format_gives_the_same_weights(tmp_path: Path, writer: str, is_tied: bool) -> None:
    config = tiny_config(is_tied=is_tied)
    weights = random_weights(config)
    checkpoint = open_checkpoint(WRITERS[writer](tmp_path, config, weights))
    found = dict(checkpoint.weights())
    assert found.keys() == weights.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, weights[name]), name
    expected = config
    if writer.startswith("meta"):
        # Meta's parameters name neither the context nor the special tokens.
        expected = replace(config, context_length=4096, eos_token_ids=())
    assert checkpoint.config == replace(expected, norm_eps=checkpoint.config.norm_eps)
    assert checkpoint.config.norm_eps == pytest.approx(config.norm_eps)


def test_a_gguf_file_brings_its_rotary_factors(tmp_path: Path) -> None:
    factors = tuple(1.0 + 0.5 * i for i in range(12))
    config = tiny_config(rope_scaling=RopeScaling(kind="factors", factors=factors))
    checkpoint = open_checkpoint(write_gguf(tmp_path / "tiny.gguf", config, random_weights(config)))
    assert checkpoint.config.rope_scaling == config.rope_scaling
    assert "rope_freqs" not in dict(checkpoint.weights())


def test_more_layers_than_tensors_are_not_even_counted(tmp_path: Path) -> None:
    """A damaged number of layers would fill the memory with the names of what is missing."""
    config = tiny_config()
    path = write_gguf(tmp_path / "a.gguf", replace(config, layers=200_000), random_weights(config))
    with pytest.raises(CheckpointInvalid, match="21 tensors, fewer than the 200000 layers"):
        open_checkpoint(path)


def test_scaled_rope_is_read_from_hugging_face_and_meta(tmp_path: Path) -> None:
    config = tiny_config(rope_scaling=LLAMA3, rope_theta=500000.0)
    weights = random_weights(config)
    assert open_checkpoint(write_hugging_face(tmp_path / "a", config, weights)).config.rope_scaling == LLAMA3
    meta = open_checkpoint(write_meta(tmp_path / "b", config, weights)).config
    assert meta.rope_scaling == replace(LLAMA3, original_context_length=8192)
    assert meta.context_length == 131072


def test_the_newer_place_of_rotary_parameters_is_read(tmp_path: Path) -> None:
    config = tiny_config()
    write_hugging_face(tmp_path, config, random_weights(config))
    edit_config(tmp_path, rope_theta=None, rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 5e5})
    found = open_checkpoint(tmp_path).config
    assert (found.rope_theta, found.rope_scaling) == (5e5, RopeScaling(kind="linear", factor=4.0))


def test_generation_config_names_the_end_tokens(tmp_path: Path) -> None:
    config = tiny_config()
    write_hugging_face(tmp_path, config, random_weights(config))
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [5, 6]}')
    assert open_checkpoint(tmp_path).config.eos_token_ids == (5, 6)


def test_a_file_within_a_folder_opens_the_folder(tmp_path: Path) -> None:
    config = tiny_config()
    write_hugging_face(tmp_path / "hf", config, random_weights(config))
    assert open_checkpoint(tmp_path / "hf" / "config.json").path == tmp_path / "hf"
    write_gguf(tmp_path / "only.gguf", config, random_weights(config))
    assert open_checkpoint(tmp_path).path == tmp_path / "only.gguf"
    write_gguf(tmp_path / "second.gguf", config, random_weights(config))
    with pytest.raises(CheckpointInvalid, match="holds 2 GGUF files"):
        open_checkpoint(tmp_path)


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    facts = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in facts.items() if value is not None}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "bert", "architectures": ["BertModel"]}, "architecture `BertModel`"),
        ({"model_type": "mistral", "architectures": ["MistralForCausalLM"]}, "architecture `MistralForCausalLM`"),
        ({"attention_bias": True}, "`attention_bias`"),
        ({"num_hidden_layers": None}, "does not have `num_hidden_layers`"),
        ({"num_hidden_layers": "two"}, "`num_hidden_layers` is 'two'"),
        ({"num_key_value_heads": 3}, "4 attention heads cannot share 3"),
        ({"hidden_size": 0}, "`hidden_size` is 0"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2}}, "`yarn`"),
        ({"tie_word_embeddings": 1}, "`tie_word_embeddings` is 1"),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_run_is_named(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    config = tiny_config()
    write_hugging_face(tmp_path, config, random_weights(config))
    edit_config(tmp_path, **changes)
    with pytest.raises(CheckpointInvalid, match=said) as caught:
        open_checkpoint(tmp_path)
    assert str(tmp_path / "config.json") in str(caught.value) or str(tmp_path) in str(caught.value)


def test_an_unknown_architecture_names_the_supported_ones(tmp_path: Path) -> None:
    config = tiny_config()
    write_hugging_face(tmp_path, config, random_weights(config))
    edit_config(tmp_path, model_type="mamba", architectures=["MambaForCausalLM"])
    with pytest.raises(CheckpointInvalid) as caught:
        open_checkpoint(tmp_path)
    assert caught.value.hint == "supported: `llama`"
    assert caught.value.status == 503


def change_tensors(folder: Path, change: object) -> None:
    tensors = load_file(folder / "model.safetensors")
    assert callable(change)
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("model.layers.1.mlp.up_proj.weight"), "lacks `layers.1.ffn.up`"),
        (
            lambda t: t.update({"model.layers.1.mlp.up_proj.bias": torch.zeros(4)}),
            r"`model\.layers\.1\.mlp\.up_proj\.bias`",
        ),
        (lambda t: t.update({"model.layers.2.input_layernorm.weight": torch.zeros(64)}), "layers.2.attention_norm"),
        (lambda t: t.update({"model.norm.weight": torch.zeros(65)}), r"`norm` of .* has the shape \[65\]"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path: Path, change: object, said: str) -> None:
    config = tiny_config()
    write_hugging_face(tmp_path, config, random_weights(config))
    change_tensors(tmp_path, change)
    with pytest.raises(CheckpointInvalid, match=said):
        open_checkpoint(tmp_path)  # before any of them is read


def test_buffers_of_older_checkpoints_are_passed_over(tmp_path: Path) -> None:
    config = tiny_config(is_tied=True)
    write_hugging_face(tmp_path, config, random_weights(config))
    change_tensors(
        tmp_path,
        lambda t: t.update(
            {
                "model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(12),
                "lm_head.weight": t["model.embed_tokens.weight"].clone(),
            }
        ),
    )
    assert load_runner(tmp_path).model.config == config


def test_damaged_safetensors_are_refused_with_their_name(tmp_path: Path) -> None:
    config = tiny_config()
    write_hugging_face(tmp_path, config, random_weights(config))
    file = tmp_path / "model.safetensors"
    whole = file.read_bytes()
    for size in (0, 3, 8, 200, 5000, len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(CheckpointInvalid, match=r"model\.safetensors`") as caught:
            open_checkpoint(tmp_path)
        assert caught.value.hint == "download it again"
    assert "tensor `model.norm.weight` ends 1 bytes behind the end of the file" in caught.value.message


def with_entry(header: dict[str, object], **changes: object) -> bytes:
    """A safetensors file that is nothing but a header, with an entry changed."""
    entry = {"dtype": "F32", "shape": [2, 0], "data_offsets": [0, 0], **changes}
    written = json.dumps({**header, "x": entry}).encode()
    return len(written).to_bytes(8, "little") + written


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff" * 16, "it ends inside its header"),
        ((2).to_bytes(8, "little") + b"[]", "its header is not a JSON object"),
        ((2).to_bytes(8, "little") + b"{;", "Expecting property name"),
        ((2**16).to_bytes(8, "little") + b"[" * 2**16, "recursion"),
        (with_entry({}, shape=[1]), r"tensor `x` has 0 bytes, and F32 of shape \[1\] takes 4"),
        (with_entry({}, shape=[True]), "the entry of tensor `x` makes no sense"),
        (with_entry({}, shape=[-1]), "the entry of tensor `x` makes no sense"),
        (with_entry({}, data_offsets=[0, 1 << 62]), "tensor `x` ends 4611686018427387904 bytes behind"),
        (with_entry({}, data_offsets=[-4, 0], shape=[1]), "tensor `x`"),
        (with_entry({}, data_offsets=None), "the entry of tensor `x` makes no sense"),
        (with_entry({"y": 7}), "the entry of tensor `y` makes no sense"),
        (with_entry({}, dtype="F8_E4M3"), "Tensor `x` of .* is stored as F8_E4M3"),
        (with_entry({}, dtype="F4"), "Tensor `x` of .* is stored as F4"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused_by_its_tensor(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(CheckpointInvalid, match=said):
        for name, tensor in read_header(file).items():
            check_float(name, tensor, file)


def test_a_header_is_read_as_the_library_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    kinds = (
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.int8,
        torch.uint8,
        torch.int64,
        torch.bool,
    )
    tensors = {str(kind): torch.zeros((3, number), dtype=kind) for number, kind in enumerate(kinds)}
    save_file(tensors, file, metadata={"format": "pt"})
    assert {name: tensor.shape for name, tensor in read_header(file).items()} == {
        name: tuple(tensor.shape) for name, tensor in tensors.items()
    }


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    config = tiny_config()
    write_hugging_face(tmp_path, config, random_weights(config), files=3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointInvalid, match=r"lacks `model-00002-of-00003\.safetensors`"):
        open_checkpoint(tmp_path)


def test_meta_folders_that_are_damaged_are_refused(tmp_path: Path) -> None:
    config = tiny_config()
    write_meta(tmp_path, config, random_weights(config), shards=2)
    second = tmp_path / "consolidated.01.pth"
    shard = torch.load(second, weights_only=True)
    removed = shard.pop("layers.1.attention.wo.weight")
    torch.save(shard, second)
    with pytest.raises(CheckpointInvalid, match=r"consolidated\.01\.pth` lacks the tensor `layers\.1\.attention\.wo"):
        open_checkpoint(tmp_path)
    for other, problem in ((removed[:3], "does not fit the"), (removed.to(torch.int8), "is stored as int8")):
        torch.save({**shard, "layers.1.attention.wo.weight": other}, second)
        with pytest.raises(CheckpointInvalid, match=rf"`layers\.1\.attention\.wo\.weight` of .*01\.pth` .*{problem}"):
            open_checkpoint(tmp_path)
    torch.save({**shard, "layers.1.attention.wo.weight": removed[:, :3]}, second)
    with pytest.raises(CheckpointInvalid, match=r"`layers\.1\.attention\.o` of .* has the shape"):
        open_checkpoint(tmp_path)
    second.write_bytes(second.read_bytes()[:1000])
    with pytest.raises(CheckpointInvalid, match=r"consolidated\.01\.pth` cannot be read"):
        open_checkpoint(tmp_path)


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harmed"),))


def test_a_checkpoint_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = tiny_config()
    write_meta(tmp_path, config, random_weights(config))
    torch.save({"tok_embeddings.weight": Harmful()}, tmp_path / "consolidated.00.pth")
    with pytest.raises(CheckpointInvalid, match="cannot be read"):
        open_checkpoint(tmp_path)
    assert not (tmp_path / "harmed").exists()


def test_places_without_a_checkpoint_say_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointInvalid, match="holds no checkpoint"):
        open_checkpoint(tmp_path)
    with pytest.raises(CheckpointInvalid, match="There is no model at"):
        open_checkpoint(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointInvalid, match=r"config\.json` cannot be read"):
        open_checkpoint(tmp_path)
