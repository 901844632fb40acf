"""The marks by which a model says where it has something from, and the annotations that are made of them.

A mark is a number between brackets that texts hardly have, `【3】`. As the text streams, what may become a mark is held
back until it is one or is none; the marks themselves are taken out, since the annotations say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from runtime.sse import Json

_OPEN, _CLOSE = "【", "】"
_LONGEST = 24
"""Of a mark, with what models of OpenAI's add: `【4:0†source】`."""
_MOST_UNNAMED = 50
"""Of files that one message is annotated with though it does not name them."""
_MARK = re.compile(r" ?【(\d{1,6})[^【】]{0,20}】")
_BETWEEN = re.compile(r"[.!?][\"')\]]*\s+(?=\S)|[\u3002\uff01\uff1f\n]\s*(?=\S)")
"""What ends a statement that another one follows."""
_says = re.compile(r"[^\s.,;:!?)\]\u3002\uff01\uff1f]").search
_UNFINISHED = re.compile(r" ?(?:【[^【】]*)?\Z")


class Source(Protocol):
    """Where something was found. Two that are equal have the same mark."""

    def annotation(self, begin: int, end: int) -> Json:
        """What a mark of it means. begin, end: the characters of the statement that it stands behind."""
        ...


@dataclass(frozen=True)
class FileSource(Source):
    """A passage of a file. page: from 1; None for what has no pages."""

    file_id: str
    filename: str
    page: int | None = None

    def annotation(self, begin: int, end: int) -> Json:
        cited: Json = {"type": "file_citation", "file_id": self.file_id, "filename": self.filename, "index": end}
        return cited if self.page is None else cited | {"page": self.page}


@dataclass(frozen=True)
class PageSource(Source):
    """A page of the web."""

    url: str
    title: str

    def annotation(self, begin: int, end: int) -> Json:
        return {"type": "url_citation", "url": self.url, "title": self.title, "start_index": begin, "end_index": end}


@dataclass(frozen=True)
class ContainerSource:
    """A file that code has made. path: in its container."""

    container_id: str
    file_id: str
    path: str


@dataclass
class Citations:
    """The sources that one response has shown to its model. files: those that code has made; uncited: those of them
    that no message is about yet.
    """

    sources: list[Source] = field(default_factory=list)
    files: dict[str, ContainerSource] = field(default_factory=dict)
    uncited: list[ContainerSource] = field(default_factory=list)

    def mark(self, source: Source) -> str:
        """The source's mark; the same for the same source."""
        if source not in self.sources:
            self.sources.append(source)
        return f"{_OPEN}{self.sources.index(source) + 1}{_CLOSE}"

    def knows(self, number: int) -> bool:
        """Whether a source has the mark with this number."""
        return 1 <= number <= len(self.sources)

    def annotation(self, number: int, begin: int, end: int) -> Json:
        """What the mark with this number means, behind a statement of the text."""
        return self.sources[number - 1].annotation(begin, end)

    def made(self, file: ContainerSource) -> None:
        """Code has made a file, or made it anew."""
        self.files[file.path] = file
        self.uncited = [*(one for one in self.uncited if one.path != file.path), file]

    def of_files(self, text: str) -> list[Json]:
        """What a whole message has of files: each place of a path in it, and at its end those that were made since the
        last one and that it does not name.
        """
        found: list[Json] = []
        named: set[str] = set()
        if self.files:
            for match in _path(self.files).finditer(text):
                file = self.files[match["path"]]
                named.add(file.path)
                found.append(_of_file(file, match.start(), match.end()))
        unnamed = [file for file in self.uncited if file.path not in named]
        found += [_of_file(file, len(text), len(text)) for file in unnamed[:_MOST_UNNAMED]]
        self.uncited = []
        return found


def _path(files: Iterable[str]) -> re.Pattern[str]:
    """Finds the paths of files in a text, as a link of OpenAI's or bare."""
    paths = "|".join(re.escape(path) for path in sorted(files, key=len, reverse=True))
    return re.compile(rf"(?:sandbox:)?(?P<path>{paths})(?![\w/])")


def _of_file(file: ContainerSource, begin: int, end: int) -> Json:
    return {
        "type": "container_file_citation",
        "container_id": file.container_id,
        "file_id": file.file_id,
        "filename": file.path.rpartition("/")[2],
        "start_index": begin,
        "end_index": end,
    }


class Marked:
    """A text with marks, as it comes: what of it can be shown, and the annotations that belong to it."""

    def __init__(self, citations: Citations) -> None:
        self._citations = citations
        self._waiting = ""
        self._shown: list[str] = []
        self._begin = self._cited = 0  # where the statement with the last mark begins, and where that mark is

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
            found.append(self._cite(number))
            begin = match.end()
        self._show(found, text[begin:])
        return found

    def _show(self, found: list[str | Json], text: str) -> None:
        if text:
            found.append(text)
            self._shown.append(text)

    def _cite(self, number: int) -> Json:
        """A mark behind the statement that was shown last: its sentence, or what follows the last mark in that."""
        text = "".join(self._shown)
        since = text[self._cited :].rstrip()
        if _says(since):
            between = [match.end() for match in _BETWEEN.finditer(since)]
            first = _says(text, self._cited + max(between, default=0))
            assert first is not None, "what is between statements is followed by something"
            self._begin, self._cited = first.start(), len(text)
        return self._citations.annotation(number, self._begin, len(text))
