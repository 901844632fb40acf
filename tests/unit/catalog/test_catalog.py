"""The catalog of Llama models: every row is whole, every name finds its model, every model has a prompt format."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest

import runtime.catalog
from runtime.catalog import CatalogModel, find, get, known_names, models, prompt_format
from runtime.catalog.on_disk import MANIFEST, stored_folder, stored_folders
from runtime.config.home import is_distribution_name
from runtime.engine.text.builtin_templates import LLAMA_2_TEMPLATE, LLAMA_3_TEMPLATE, LLAMA_4_TEMPLATE
from runtime.errors import NotFound

every = pytest.mark.parametrize("model", models(), ids=lambda model: model.descriptor)


def test_all_checkpoints_are_there() -> None:
    assert len(models()) == 48
    assert len({model.descriptor for model in models()}) == 48
    assert len(known_names()) == len(set(known_names()))


@every
def test_a_row_is_whole(model: CatalogModel) -> None:
    assert re.fullmatch(r"meta-llama/[\w.-]+", model.model_id) and re.fullmatch(r"meta-llama/[\w.-]+", model.hub_repo)
    assert is_distribution_name(model.folder_name)
    assert model.params and model.modalities and model.context_length
    assert all(each.name and "(" not in each.name + each.remark for each in model.vendors.values())
    if model.layers:
        assert model.dim and model.heads and model.kv_heads and model.heads % model.kv_heads == 0
        assert model.dim % model.heads == 0


@every
def test_each_of_its_names_finds_a_model_of_these_weights(model: CatalogModel) -> None:
    assert find(model.descriptor) is model
    for name in model.names:
        found = find(name.upper())
        assert found is not None and found.params == model.params and found.family == model.family


def test_the_descriptor_comes_before_what_it_nearly_is() -> None:
    assert get("Llama3.1-405B").quantization == "fp8 mixed"
    assert get("Llama-3.1-405B").quantization == "bf16"
    assert get("meta-llama/Meta-Llama-3-8B") is get("Llama-3-8B")


def test_an_unknown_name_has_its_nearest() -> None:
    with pytest.raises(NotFound) as raised:
        get("Llama3.3-70B-Instrukt")
    assert "`Llama3.3-70B-Instruct`" in str(raised.value.hint)


def test_what_vendors_call_it() -> None:
    groq = get("Llama3.3-70B-Instruct").vendors["groq"]
    assert (groq.name, groq.remark) == ("llama-3.3-70b-versatile", "ends 2026-08-16")


# Prompt formats

CHAT = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "What is a llama?"},
    {"role": "assistant", "content": "A llama is a pack animal of the Andes."},
    {"role": "user", "content": "Where does it live?"},
]


@every
def test_every_model_has_a_prompt_format(model: CatalogModel) -> None:
    text = prompt_format(model)
    assert text.startswith("# ") and "```text\n" in text and text.endswith("\n")


def test_every_prompt_format_is_some_model_s() -> None:
    folder = Path(runtime.catalog.__file__).parent / "prompt_formats"
    assert {path.stem for path in folder.iterdir()} == {model.prompt_format for model in models()}


@pytest.mark.parametrize(
    ("name", "template", "begin"),
    [
        ("Llama-2-7b-chat", LLAMA_2_TEMPLATE, "<s>"),
        ("Llama-3-8B-Instruct", LLAMA_3_TEMPLATE, "<|begin_of_text|>"),
        ("Llama3.1-8B-Instruct", LLAMA_3_TEMPLATE, "<|begin_of_text|>"),
        ("Llama3.2-1B-Instruct", LLAMA_3_TEMPLATE, "<|begin_of_text|>"),
        ("Llama-4-Scout-17B-16E-Instruct", LLAMA_4_TEMPLATE, "<|begin_of_text|>"),
    ],
)
def test_the_first_example_is_what_the_engine_writes(name: str, template: str, begin: str) -> None:
    found = re.search(r"```text\n(.*?)\n```", prompt_format(get(name)), re.DOTALL)
    assert found is not None
    written = jinja2.Template(template).render(
        messages=CHAT, bos_token=begin, eos_token="</s>", add_generation_prompt=True
    )
    assert found[1] == written


# On this disk


def test_a_folder_is_found_by_every_name(tmp_path: Path) -> None:
    for name in ("Llama3.2-1B-Instruct", "mine", ".incomplete"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine" / MANIFEST).write_text('{"model_id": "org/other"}')
    assert [folder.name for folder in stored_folders(tmp_path)] == ["Llama3.2-1B-Instruct", "mine"]
    for name in ("llama3.2-1b-instruct", "meta-llama/Llama-3.2-1B-Instruct", "Llama-3.2-1B-Instruct"):
        assert stored_folder(tmp_path, name) == tmp_path / "Llama3.2-1B-Instruct"
    assert stored_folder(tmp_path, "Org/Other") == tmp_path / "mine"
    for name in ("Llama3.2-3B-Instruct", "other", ".incomplete", "../x", "org/none"):
        assert stored_folder(tmp_path, name) is None
    assert stored_folder(tmp_path / "none", "mine") is None
