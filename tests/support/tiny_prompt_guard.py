"""A Prompt Guard of random weights: a DeBERTa-v2 sequence classifier of two layers, as transformers writes it, with a
tokenizer of a few words. For tests that need the architecture and no real meaning.
"""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WINDOW = 32
"""Tokens that it reads at once, with the two that begin and end them."""
V1 = ("BENIGN", "INJECTION", "JAILBREAK")
V2 = ("LABEL_0", "LABEL_1")
HARMFUL = "bad"
"""The word that a model with `finds_harm` has learned."""
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{number}" for number in range(60)), HARMFUL)


def write_prompt_guard(folder: Path, labels: tuple[str, ...] = V1, *, finds_harm: bool = False) -> Path:
    """The folder. finds_harm: not random: sure of the last label wherever the word `HARMFUL` is in a window, and of the
    first elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(len(labels))
    config = transformers.DebertaV2Config(
        vocab_size=len(WORDS), hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
        max_position_embeddings=WINDOW, relative_attention=True, pos_att_type=["p2c", "c2p"], share_att_key=True,
        position_buckets=8, norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0, pad_token_id=0,
        num_labels=len(labels), id2label=dict(enumerate(labels)),
        label2id={label: place for place, label in enumerate(labels)},
    )  # fmt: skip
    model = transformers.DebertaV2ForSequenceClassification(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3)
        if finds_harm:
            _teach(model)
    model.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    return folder


def _teach(model: transformers.DebertaV2ForSequenceClassification) -> None:
    """Every token looks at all others alike, and passes on what only the word has: its first channel."""
    for name, weight in model.named_parameters():
        weight.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
    model.deberta.embeddings.word_embeddings.weight[WORDS.index(HARMFUL), 0] = 1.0
    for layer in model.deberta.encoder.layer:
        layer.attention.self.value_proj.weight.copy_(torch.eye(model.config.hidden_size) * 1000)
        layer.attention.output.dense.weight.copy_(torch.eye(model.config.hidden_size))
    model.pooler.dense.weight.copy_(torch.eye(model.config.hidden_size))
    model.classifier.weight[-1, 0] = 10.0
    model.classifier.bias[0] = 10.0
