"""The marks by which a model says where it has something from, and the annotations that are made of them.

A mark is a number between brackets that texts hardly have, `【3】`. As the text streams, what may become a mark is held
back until it is one or is none; the marks themselves are taken out, since the annotations say the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from runtime.sse import Json

_OPEN, _CLOSE = "【", "】"
_LONGEST = 24
"""Of a mark, with what models of OpenAI's add: `【4:0†source】`."""
_MARK = re.compile(r" ?【(\d{1,6})[^【】]{0,20}】")
_UNFINISHED = re.compile(r" ?(?:【[^【】]*)?\Z")


@dataclass(frozen=True)
class Source:
    """Where something was found. page: from 1; None for what has no pages."""

    file_id: str
    filename: str
    page: int | None = None


@dataclass
class Citations:
    """The sources that one response has shown to its model."""

    sources: list[Source] = field(default_factory=list)

    def mark(self, source: Source) -> str:
        """The source's mark; the same for the same source."""
        if source not in self.sources:
            self.sources.append(source)
        return f"{_OPEN}{self.sources.index(source) + 1}{_CLOSE}"

    def knows(self, number: int) -> bool:
        """Whether a source has the mark with this number."""
        return 1 <= number <= len(self.sources)

    def annotation(self, number: int, position: int) -> Json:
        """What the mark with this number means behind the text's first `position` characters."""
        source = self.sources[number - 1]
        cited: Json = {
            "type": "file_citation",
            "file_id": source.file_id,
            "filename": source.filename,
            "index": position,
        }
        return cited if source.page is None else cited | {"page": source.page}


class Marked:
    """A text with marks, as it comes: what of it can be shown, and the annotations that belong to it."""

    def __init__(self, citations: Citations) -> None:
        self._citations = citations
        self._waiting = ""
        self._length = 0

    def add(self, piece: str) -> list[str | Json]:
        """The next piece: texts and annotations in their order."""
        text = self._waiting + piece
        unfinished = _UNFINISHED.search(text)
        held = unfinished[0] if unfinished and len(unfinished[0]) <= _LONGEST else ""
        self._waiting = held
        return self._split(text[: len(text) - len(held)])

    def end(self) -> list[str | Json]:
        """What was still held back: there is no more text."""
        text, self._waiting = self._waiting, ""
        return self._split(text)

    def _split(self, text: str) -> list[str | Json]:
        found: list[str | Json] = []
        begin = 0
        for match in _MARK.finditer(text):
            if not self._citations.knows(number := int(match[1])):
                continue
            self._show(found, text[begin : match.start()])
            found.append(self._citations.annotation(number, self._length))
            begin = match.end()
        self._show(found, text[begin:])
        return found

    def _show(self, found: list[str | Json], text: str) -> None:
        if text:
            found.append(text)
            self._length += len(text)
