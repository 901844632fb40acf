"""Special tokens in text: finding them, and keeping users' text from becoming one.

Knows strings and ids; not how plain text is encoded, and nothing about templates.

A chat template joins its own special tokens and users' text, so rendered text alone does not show which is which.
Before rendering, `shield` puts a mark (a character that is nowhere in the request) into a user's string wherever there
is a special token, or one could form together with the text next to it. After rendering, `split` finds only the
template's own tokens and removes the marks from the text between them. So a user's `<|im_end|>` is read as several
ordinary tokens. Strings without such places are not changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

# Code points that Unicode reserves for a program's own use (Unicode Standard, sections 23.7 and 23.5).
_NONCHARACTERS = range(0xFDD0, 0xFDF0)
_PRIVATE_USE = range(0x10_0000, 0x10_FFFE)


class SpecialTokens:
    """The tokens of a vocabulary that mean structure, not text. ids: by their spelling.

    strips_left, strips_right: spellings that remove the white space before or after them, as a few models require.
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        *,
        strips_left: Iterable[str] = (),
        strips_right: Iterable[str] = (),
    ) -> None:
        self.ids = {text: id for text, id in ids.items() if text}
        self.spellings = {id: text for text, id in self.ids.items()}
        self._strips_left, self._strips_right = frozenset(strips_left), frozenset(strips_right)
        longest_first = sorted(self.ids, key=len, reverse=True)
        choice = "|".join(map(re.escape, longest_first)) or "(?!)"
        self._token = re.compile(choice)
        self._token_in_any_case = re.compile(choice, re.IGNORECASE)
        # Trying hundreds of spellings at every character would cost more than encoding the text.
        first = sorted({case for text in self.ids for case in (text[0], text[0].lower(), text[0].upper())})
        self._candidate = re.compile("|".join(map(re.escape, first)) or "(?!)")
        folded = [text.lower() for text in self.ids]
        self._heads = {text[:end] for text in folded for end in range(1, len(text))}
        self._tails = {text[start:] for text in folded for start in range(1, len(text))}
        self._folded = "\n".join(folded)
        self._longest = max(map(len, folded), default=0)

    def split(self, text: str, mark: str = "") -> Iterator[str | int]:
        """The pieces of `text` in order: ids of special tokens, and the text between them (never empty).

        mark: the one that `shield` put in; it is removed from the pieces.
        """
        plain_from = 0
        for match in self._token.finditer(text):
            token = match[0]
            # A token of one character has no inside, so its mark is after it.
            if mark and len(token) == 1 and text.startswith(mark, match.end()):
                continue
            plain = text[plain_from : match.start()]
            if token in self._strips_left:
                plain = plain.rstrip()
            if plain := plain.replace(mark, ""):
                yield plain
            yield self.ids[token]
            plain_from = match.end()
            if token in self._strips_right:
                plain_from += len(text) - plain_from - len(text[plain_from:].lstrip())
        if plain := text[plain_from:].replace(mark, ""):
            yield plain

    def shield(self, text: str, mark: str, *, is_keyword: bool = False) -> str:
        """`text` with `mark` wherever it has a special token, or could form one with the text next to it.

        Letter case and outer white space are ignored, since templates may change both. is_keyword: the template
        compares this string with words of its own (`function`, `string`), so it is not marked where it is only part of
        a special token.
        """
        core = text.strip()
        places = {
            match.start() + 1
            for match in self._candidate.finditer(core)
            if self._token_in_any_case.match(core, match.start())
        }
        reach = min(len(core), self._longest)
        for length in range(1, reach + 1):
            if core[-length:].lower() in self._heads:
                places.add(len(core) - length + 1)
            if core[:length].lower() in self._tails:
                places.add(0)
        if core and not is_keyword and len(core) < self._longest and core.lower() in self._folded:
            places.add(0)
        if not places:
            return text
        cuts = [0, *sorted(places), len(core)]
        start = text.index(core)
        marked = mark.join(core[a:b] for a, b in pairwise(cuts))
        return text[:start] + marked + text[start + len(core) :]


def choose_mark(texts: Iterable[str]) -> str:
    """A character that is in none of `texts`."""
    used = set().union(*texts)
    return next(mark for mark in map(chr, (*_NONCHARACTERS, *_PRIVATE_USE)) if mark not in used)
