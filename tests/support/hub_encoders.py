"""Tiny encoders of random weights in the folders that transformers itself writes, and what it makes of texts with them:
the oracle for our encoders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = ["red", "green", "blue", "one", "two", "three", "cat", "dog", "house", "tree", *"abcdefghijklmn"]
_ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def _word_pieces() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: id for id, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens(special)
    return tokenizer


def _bytes() -> Tokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {word: id for id, word in enumerate([*_ROBERTA_SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.add_special_tokens(_ROBERTA_SPECIAL)
    return tokenizer


def _sentence_pieces() -> Tokenizer:
    pieces = [(word, 0.0) for word in _ROBERTA_SPECIAL] + [(f"▁{word}", -3.0) for word in WORDS]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(_ROBERTA_SPECIAL)
    return tokenizer


@dataclass(frozen=True)
class HubKind:
    """name: of its classes in transformers. positions: rows of its table for a context of 32 tokens."""

    name: str
    tokenizer: Callable[[], Tokenizer]
    positions: int
    segments: int
    pad: int


KINDS = {
    "bert": HubKind("Bert", _word_pieces, positions=32, segments=2, pad=0),
    "roberta": HubKind("Roberta", _bytes, positions=34, segments=1, pad=1),
    "xlm-roberta": HubKind("XLMRoberta", _sentence_pieces, positions=34, segments=1, pad=1),
}


def write_hub_encoder(folder: Path, kind: HubKind, head: str, **changes: Any) -> Any:
    """Saves a model into a folder, with its tokenizer, and returns it. head: the end of its class, such as
    `ForSequenceClassification`. changes: to its config. All weights are random, of standard deviation 0.5 around
    0 (the gains of norms: 1), so that every part matters.
    """
    transformers = pytest.importorskip("transformers", reason="transformers is the oracle")
    tokenizer = kind.tokenizer()
    sizes = {"hidden_size": 24, "intermediate_size": 40, "num_attention_heads": 3, "num_hidden_layers": 2}
    facts = {"max_position_embeddings": kind.positions, "type_vocab_size": kind.segments, "pad_token_id": kind.pad}
    config = getattr(transformers, f"{kind.name}Config")(
        **{**sizes, **facts, "vocab_size": tokenizer.get_vocab_size(), **changes}
    )
    model = getattr(transformers, f"{kind.name}{head}")(config).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.randn(weight.shape) * 0.5 + name.endswith("LayerNorm.weight"))
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return model


def reference_logits(
    model: Any, folder: Path, query: str, documents: Sequence[str], *, max_tokens: int
) -> NDArray[np.float64]:
    """transformers' logit of each document, read alone with the query and cut to `max_tokens`: [documents], float64."""
    transformers = pytest.importorskip("transformers", reason="transformers is the oracle")
    names = ["input_ids", "token_type_ids"] if model.config.type_vocab_size > 1 else ["input_ids"]
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), model_input_names=names
    )
    logits = []
    with torch.no_grad():
        for document in documents:
            # In lists, since an empty text by itself would be taken for none.
            pair = tokenizer(
                [query], [document], truncation="longest_first", max_length=max_tokens, return_tensors="pt"
            )
            logits.append(float(model(**{name: pair[name] for name in names}).logits[0, 0]))
    return np.array(logits)
