"""Which spellings are control tokens, whatever type a vocabulary gives them. Knows spellings; no ids, no templates.

Conversions and fine-tunes often mark the tokens of a chat format as ordinary text. Then they are split into pieces in a
prompt, appear in answers, can be forged by a user's message, and an answer never ends. Two things are more reliable
than the type: the spelling, which llama.cpp uses too (`llama-vocab.cpp`), and what the model's chat template writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Tokens that end an answer, by their spellings in published models. A vocabulary declares only one or two of its end
# tokens; the others must end an answer as well.
_ENDS = frozenset(
    [
        *("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|eot|>", "<|eom|>"),  # Llama 3 and 4
        *("</s>", "\u2581<EOT>", "<EOT>", "_<EOT>", "<|EOT|>"),  # Llama 2, Code Llama (and retyped), DeepSeek Coder
        *("<|im_end|>", "<|endoftext|>", "<|end|>", "<|end_of_turn|>", "<end_of_turn>", "<end_of_utterance>"),
        *("<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "[EOT]", "[EOS]", "<eos>"),
        "<\uff5cend\u2581of\u2581sentence\uff5c>",  # DeepSeek, with full-width bars
    ]
)

_BRACKETED = re.compile(r"<[^\s<>]{1,64}>|\[[^\s\[\]]{1,64}\]")
_BARRED = re.compile(r"<([|\uff5c])[^\s<>]{1,64}\1>")


@dataclass(frozen=True, kw_only=True)
class ControlSpellings:
    """ends: spellings that end an answer. all: those, and the others that structure a chat."""

    ends: frozenset[str] = _ENDS
    all: frozenset[str] = _ENDS

    def with_chats(self, chats: Iterable[str], last_words: str) -> ControlSpellings:
        """These, and those that a template writes in `chats`, each of which ends with an assistant's `last_words`.

        The token right after those words ends an answer. Of the rest only spellings such as `<|user|>` count as
        structure: `<think>` is part of an answer.
        """
        ends, structure = set(self.ends), set(self.all)
        for chat in chats:
            structure.update(match[0] for match in _BARRED.finditer(chat))
            _, is_there, after = chat.rpartition(last_words)
            if is_there and (end := _BRACKETED.match(after.lstrip())):
                ends.add(end[0])
        return ControlSpellings(ends=frozenset(ends), all=frozenset(structure | ends))


KNOWN = ControlSpellings()


def looks_like_control(spelling: str) -> bool:
    """Whether a token that a model declares as its begin or end token is spelt like one, not like ordinary text."""
    return _BRACKETED.fullmatch(spelling) is not None
