"""A Llama model of random weights with a byte-level tokenizer and a chat template, as a whole Hugging Face folder.

It talks nonsense, the same every time, in milliseconds. For tests that need a real engine and no real language.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tests.support.tiny_llama import random_weights, tiny_config, write_hugging_face

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_tiny_chat_model(folder: Path, *, context_length: int = 512, **shape: Any) -> Path:
    """Write the folder and return it. Every byte is a token, so any text can be read and written. shape: what differs
    from `tiny_config`.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: number for number, piece in enumerate([*_SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(piece, special=True) for piece in _SPECIAL])
    config = tiny_config(vocab_size=len(vocabulary), context_length=context_length, eos_token_ids=(2,), **shape)
    write_hugging_face(folder, config, random_weights(config))
    tokenizer.save(str(folder / "tokenizer.json"))
    facts = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "chat_template": _TEMPLATE, "add_bos_token": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(facts))
    return folder
