"""Guesses at a sequence's next tokens, to be computed beside the one that is next: rows of one step cost little more
than one where memory is what decides. Whoever samples accepts a guess only where it is what sampling gives, so the
tokens are the same with and without. Knows token ids only.

Prompt lookup: what followed the last time when the same few tokens came. Saxena 2023 (prompt lookup decoding),
https://github.com/apoorvumang/prompt-lookup-decoding. Verification of guesses: Leviathan et al. 2023, section 2.3; here
a draw depends on seed and place only, so comparing tokens is enough.
"""

from __future__ import annotations

from collections.abc import Sequence

_KEY_TOKENS = 3
_REST = 8
"""Steps without a guess after one that was wrong from its first token, at the beginning; they double each time."""
_MOST_REST = 256


class PromptLookup:
    """The guesses of one sequence: few at first, more where they were right, and none for a while where not."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, ...], int] = {}  # where the token after each key stands, the last time
        self._seen = 0  # keys that begin before this place are known
        self._room = 2
        self._rest = 0
        self._next_rest = _REST

    def guess(self, tokens: Sequence[int], most: int) -> tuple[int, ...]:
        """Up to `most` tokens that may follow. tokens: the sequence's so far; those of the last call, and more."""
        if self._rest:
            self._rest -= 1
            return ()
        # The last key has nothing after it yet.
        for place in range(self._seen, len(tokens) - _KEY_TOKENS):
            self._places[tuple(tokens[place : place + _KEY_TOKENS])] = place + _KEY_TOKENS
        self._seen = max(self._seen, len(tokens) - _KEY_TOKENS)
        start = self._places.get(tuple(tokens[-_KEY_TOKENS:])) if len(tokens) > _KEY_TOKENS else None
        if start is None:
            return ()
        period = len(tokens) - start  # a text that repeats itself goes on with its beginning
        return tuple(tokens[start + at % period] for at in range(min(most, self._room)))

    def judge(self, guessed: int, accepted: int) -> None:
        """What became of a guess: how many tokens it had, and how many of the first ones were right."""
        if accepted == guessed:
            self._room = min(16, 2 * self._room)
            self._next_rest = _REST
        elif accepted == 0:
            self._room = 2
            self._rest, self._next_rest = self._next_rest, min(_MOST_REST, 2 * self._next_rest)
        else:
            self._room = max(2, accepted)
