"""What vendors' models can: as the catalogue knows it, and as vendors' lists say it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.catalog.capabilities import capabilities_of
from runtime.provider import ListedModel
from runtime.providers.inference._openai_compatible.model_list import entries_of
from runtime.routing.listed_models import usable


def test_it_is_known_of_a_model_by_its_vendors_name() -> None:
    known = capabilities_of("openai", "Text-Embedding-3-Large")
    assert known.model_type == "embedding"
    assert known.facts == {"context_length": 8191, "embedding_dimension": 3072}
    assert capabilities_of("groq", "text-embedding-3-large").facts == {}
    assert capabilities_of("nobody", "x").model_type == ""


def test_every_row_can_be_read() -> None:
    from runtime.catalog import capabilities

    rows = capabilities._rows()
    assert len(rows) > 20
    for vendor, models in rows.items():
        for name in models:
            known = capabilities_of(vendor, name)
            assert known.model_type in ("llm", "embedding", "rerank")
            assert all(value for value in known.facts.values())


def test_a_vendor_that_lists_only_names_is_helped() -> None:
    listed = [ListedModel(provider_model_id="voyage-3.5-lite"), ListedModel(provider_model_id="unheard-of")]
    first, second = usable("p", listed, vendor="voyage").entries
    assert first.kind == "embedding" and first.metadata["context_length"] == 32000
    assert (second.kind, second.metadata) == ("", {})


def test_what_the_vendor_says_comes_first() -> None:
    listed = [ListedModel(provider_model_id="text-embedding-3-large", metadata={"embedding_dimension": 256})]
    [entry], _ = usable("p", listed, vendor="openai")
    assert entry.metadata == {"context_length": 8191, "embedding_dimension": 256}


ENTRIES = {
    "groq": ({"id": "m", "context_window": 131072, "max_completion_tokens": 32768},
             {"context_length": 131072, "max_output_tokens": 32768}),
    "vllm": ({"id": "m", "max_model_len": 4096}, {"context_length": 4096}),
    "openrouter": (
        {"id": "m", "context_length": 1000, "architecture": {"input_modalities": ["text", "image"]},
         "top_provider": {"context_length": 900, "max_completion_tokens": 100}},
        {"context_length": 1000, "input_modalities": ["text", "image"], "max_output_tokens": 100},
    ),
    "mistral": ({"id": "m", "max_context_length": 32768, "capabilities": {"vision": True, "completion_chat": True}},
                {"context_length": 32768, "input_modalities": ["text", "image"]}),
    "llama.cpp": ({"id": "m", "meta": {"n_ctx_train": 8192, "n_embd": 576}}, {"context_length": 8192}),
    "deepinfra": ({"id": "m", "metadata": {"context_length": 5}}, {"context_length": 5}),
    "fireworks": ({"id": "m", "context_length": 5, "supports_image_input": True},
                  {"context_length": 5, "input_modalities": ["text", "image"]}),
    "novita": ({"id": "m", "context_size": 5, "input_modalities": ["text"]},
               {"context_length": 5, "input_modalities": ["text"]}),
    "says nothing": ({"id": "m", "created": 1, "object": "model"}, {}),
    "says nonsense": (
        {"id": "m", "context_length": "many", "max_model_len": -1, "n_ctx": True, "context_window": 1 << 60,
         "metadata": [1], "meta": None, "input_modalities": [1], "capabilities": {"vision": "yes"}},
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("vendor", ENTRIES)
def test_what_a_vendors_list_says_has_one_name_here(vendor: str) -> None:
    entry, facts = ENTRIES[vendor]
    answer: Any = entries_of({"data": [entry]})
    assert answer[0].facts == facts
