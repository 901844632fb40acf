"""Filling in between a prefix and a suffix, with the tokens of models that were trained for it.

Bavarian et al. 2022 (FIM), section 3: prefix, suffix, then the middle. Knows spellings and ids.
"""

from __future__ import annotations

from runtime.engine.text.tokenizer import Tokenizer

# Before the prefix, before the suffix, before the middle.
_SPELLINGS = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen Coder and others
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder
    ("\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>"),  # Code Llama
)


def infill_prompt(tokenizer: Tokenizer, prefix: str, suffix: str) -> list[int] | None:
    """The prompt whose continuation stands between `prefix` and `suffix`; None for a model without tokens for it."""
    special = tokenizer.special.ids
    for spellings in _SPELLINGS:
        if all(spelling in special for spelling in spellings):
            first, second, third = (special[spelling] for spelling in spellings)
            begin = [tokenizer.bos_id] if tokenizer.add_bos and tokenizer.bos_id is not None else []
            texts = (tokenizer.encode(text, add_bos=False) for text in (prefix, suffix))
            return [*begin, first, *next(texts), second, *next(texts), third]
    return None
