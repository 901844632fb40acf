"""Special tokens in text: finding them, and keeping what users write from becoming one.

Knows strings and ids; not how plain text is encoded, and nothing about templates.

A chat template glues its own special tokens to what users wrote, so the rendered text alone does not tell them apart.
Before rendering, `shield` puts a mark (a character that occurs nowhere in the request) into every place of a user's
string where a special token stands or could come about together with the text next to it. `split` then finds only the
tokens of the template itself and removes the marks from what lies between, so that a user's `<|im_end|>` is read as the
handful of ordinary tokens it is spelt with. Strings without such places pass through templates unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

# Code points that Unicode sets aside for a program's own use: text should not carry the first kind at all.
_NONCHARACTERS = range(0xFDD0, 0xFDF0)
_PRIVATE_USE = range(0x10_0000, 0x10_FFFE)


class SpecialTokens:
    """The tokens of a vocabulary that stand for structure and not for text, by their spelling.

    strips_left, strips_right: the spellings that swallow the white space before or after them, as a few models want.
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
        # Trying hundreds of spellings at every character would cost more than encoding the text does.
        first = sorted({case for text in self.ids for case in (text[0], text[0].lower(), text[0].upper())})
        self._candidate = re.compile("|".join(map(re.escape, first)) or "(?!)")
        folded = [text.lower() for text in self.ids]
        self._heads = {text[:end] for text in folded for end in range(1, len(text))}
        self._tails = {text[start:] for text in folded for start in range(1, len(text))}
        self._folded = "\n".join(folded)
        self._longest = max(map(len, folded), default=0)

    def split(self, text: str, mark: str = "") -> Iterator[str | int]:
        """The pieces of `text` in order: ids of special tokens, and the text between them (never empty).

        mark: what `shield` was given; it is removed from the pieces.
        """
        plain_from = 0
        for match in self._token.finditer(text):
            token = match[0]
            # A token of one character cannot be broken from inside: there the mark behind it says the same.
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
        """`text` with `mark` wherever it is, or could become together with its neighbours, a special token.

        Letter case and outer white space are not looked at, since templates may change both. is_keyword: a template
        compares this string with words of its own (`function`, `string`), so one that merely occurs inside a special
        token stays whole.
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
    """A character that none of `texts` contains."""
    used = set().union(*texts)
    return next(mark for mark in map(chr, (*_NONCHARACTERS, *_PRIVATE_USE)) if mark not in used)
