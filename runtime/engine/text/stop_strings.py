"""Stop strings in text that arrives in pieces. Knows text; not tokens, not the other reasons to end."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.errors import RequestError


class StopStrings:
    """Passes text on up to the first stop string, and holds back text that may be the beginning of one.

    The stop string that is complete first ends the text; of several that end at the same character, the longest. So the
    result does not depend on how the text is cut into pieces.
    Raises RequestError for an empty stop string.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        if not all(stops):
            raise RequestError("A stop string cannot be empty.", param="stop")
        self._stops = tuple(stops)
        self._held = ""

    def push(self, text: str) -> tuple[str, bool]:
        """The text that can be shown now, and whether a stop string ends it; then do not push again."""
        if not self._stops:
            return text, False
        text = self._held + text
        # The held text contains no stop string, so every match ends in the new text.
        found = [(start + len(stop), start) for stop in self._stops if (start := text.find(stop)) >= 0]
        if found:
            self._held = ""
            return text[: min(found)[1]], True
        kept = possible_start(text, self._stops)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept], False

    def flush(self) -> str:
        """The text that was held back, at the end of a text without stop string."""
        held, self._held = self._held, ""
        return held


def possible_start(text: str, strings: Sequence[str]) -> int:
    """The number of characters at the end of `text` that could begin one of `strings`, which is not whole there."""
    for length in range(min(len(text), max(map(len, strings), default=0) - 1), 0, -1):
        end = text[-length:]
        if any(string.startswith(end) for string in strings):
            return length
    return 0
