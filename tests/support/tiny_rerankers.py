"""Rerankers of random weights, as transformers writes them: a Qwen3 that could answer yes or no, and a BERT with one
label; both with a tokenizer of words. For tests that need the architectures and no real meaning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "yes", "no", *(f"w{number}" for number in range(200)))


def write_judge(folder: Path, *, tokens: int = 256) -> Path:
    """The folder of a Qwen3. tokens: that it reads."""
    config = transformers.Qwen3Config(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=tokens, pad_token_id=0,
    )  # fmt: skip
    return _written(folder, transformers.Qwen3ForCausalLM(config), pairs=False)


def write_pairs(folder: Path, *, labels: int = 1, tokens: int = 64) -> Path:
    """The folder of a BERT."""
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
        max_position_embeddings=tokens, num_labels=labels, pad_token_id=0,
    )  # fmt: skip
    return _written(folder, transformers.BertForSequenceClassification(config), pairs=True)


def _written(folder: Path, model: Any, *, pairs: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    chance = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.4, generator=chance)
    model.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    if pairs:
        words.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )  # fmt: skip
    inputs = ["input_ids", *(["token_type_ids"] if pairs else []), "attention_mask"]
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_input_names=inputs,
    )  # fmt: skip
    made.save_pretrained(folder)
    return folder
