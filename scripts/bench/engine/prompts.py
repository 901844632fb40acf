"""What the models are asked: another text each time, so that no cache of earlier prompts helps where it should not.

Knows words and, for subjects without a chat template of their own, token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runtime.engine.text.loading import load_chat_template, load_tokenizer

Messages = list[dict[str, str]]

_WORDS = ("river", "stone", "copper", "window", "seven", "garden", "engine", "paper", "violet", "anchor")
_TEXT = Path(__file__).with_name("text.txt")


class Prompts:
    """Prompts for one model. weights: its GGUF file, for the tokenizer and the chat template."""

    def __init__(self, weights: Path) -> None:
        self._tokenizer = load_tokenizer(weights)
        template = load_chat_template(weights, self._tokenizer)
        assert template is not None, "the model takes chats"
        self._template = template
        self._made = 0

    def short(self) -> Messages:
        """About 30 tokens, to which there is a long answer."""
        number = self._made
        return self._chat(f"Write a long story about a {_WORDS[number % 10]} and a {_WORDS[number * 7 % 10]}.")

    def long(self, words: int) -> Messages:
        """About as many tokens as words, and 30."""
        number = self._made + 3
        said = (_WORDS[(place * number + place // 7) % 10] for place in range(words))
        return self._chat(f"Repeat: {' '.join(said)}")

    def ids(self, chats: Sequence[Messages]) -> list[list[int]]:
        """The token ids of some chats, all cut to the length of the shortest by leaving out their beginnings."""
        found = [self._encoded(messages) for messages in chats]
        shortest = min(map(len, found))
        return [ids[-shortest:] for ids in found]

    def text(self) -> list[int]:
        """The token ids of a fixed text of about a thousand tokens: prose, figures, a program and a list."""
        return self._tokenizer.encode(_TEXT.read_text(encoding="utf-8"))

    def _chat(self, text: str) -> Messages:
        """The number comes first, so that two prompts share no more than the template's first tokens."""
        self._made += 1
        return [{"role": "system", "content": f"Session {self._made}."}, {"role": "user", "content": text}]

    def _encoded(self, messages: Messages) -> list[int]:
        rendered = self._template.render(messages, None, special=self._tokenizer.special, add_generation_prompt=True)
        return self._tokenizer.encode_shielded(rendered.text, rendered.mark)
