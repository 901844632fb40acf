"""HTML as tags and texts, in time that grows with its length alone, whatever is left open or never meant.

The tokenization of https://html.spec.whatwg.org/multipage/parsing.html#tokenization: what begins and does not end
reaches to the end of the document, so that nothing is looked through twice. Python's own html.parser looks for the end
of each anew. Knows no element but those whose content is no HTML; which may stand where is for `html.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import NamedTuple

_BLANK = r"[ \t\n\f\r]"
_MARK = re.compile(r"<(/?)([a-zA-Z][^ \t\n\f\r/>]*+)|<[/!?]")
"""How a tag begins, or what is taken for a comment; any other `<` is text."""
_ATTRIBUTE = re.compile(
    rf"(?:{_BLANK}|/)*+([^ \t\n\f\r/>][^ \t\n\f\r/>=]*+)"
    rf"""(?:{_BLANK}*+={_BLANK}*+(?:"([^"]*+)"|'([^']*+)'|(?!["'])([^ \t\n\f\r>]*+)))?+"""
)
"""A quote without its end belongs to a name: of each kind there is at most one, the last of the document."""
_TAG_END = re.compile(rf"(?:{_BLANK}|/)*+")
_COMMENT_END = re.compile(r"--!?>")
_RAW_END = {name: re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE) for name in ("script", "style")}
"""By the names of elements whose content is no HTML; where it ends."""
_LONG_NUMBER = re.compile(r"&#[0-9]{8,}")
_NO_ATTRIBUTES: Mapping[str, str] = {}
_NO_CHARACTER = "&#9999999"
"""A reference to no character, in place of a number with more digits than Python reads."""


class Tag(NamedTuple):
    """name: in lower case. is_end: whether it ends an element. attributes: only of `meta`, by names in lower case."""

    name: str
    is_end: bool
    attributes: Mapping[str, str]


def tokens(text: str) -> Iterator[Tag | str]:
    """The tags and the texts between them. An element that its tag also ends (`<p/>`) is two tags."""
    at = 0
    while found := _MARK.search(text, at):
        if found.start() > at:
            yield _text(text[at : found.start()])
        if found[2] is None:
            at = _after_comment(text, found.start())
            continue
        tag, is_closed, at = _tag(text, found)
        if tag is None:
            return
        yield tag
        if tag.is_end:
            continue
        if is_closed:
            yield Tag(tag.name, True, _NO_ATTRIBUTES)
        elif raw_end := _RAW_END.get(tag.name):
            end = raw_end.search(text, at)
            at = end.start() if end else len(text)
    if at < len(text):
        yield _text(text[at:])


def _text(raw: str) -> str:
    return unescape(_LONG_NUMBER.sub(_NO_CHARACTER, raw)) if "&" in raw else raw


def _tag(text: str, mark: re.Match[str]) -> tuple[Tag | None, bool, int]:
    """The tag that a mark begins, None if the document ends in it; whether it has a slash at its end; the place after
    it.
    """
    name = mark[2].lower()
    attributes: dict[str, str] = {}
    at = mark.end()
    while found := _ATTRIBUTE.match(text, at):
        if name == "meta":
            attributes.setdefault(found[1].lower(), _text(found[2] or found[3] or found[4] or ""))
        at = found.end()
    end = _TAG_END.match(text, at)
    assert end is not None, "it may be empty"
    if end.end() == len(text):
        return None, False, len(text)
    return Tag(name, bool(mark[1]), attributes), end[0].endswith("/"), end.end() + 1


def _after_comment(text: str, begin: int) -> int:
    """The place after a comment, or after what is taken for one: declarations, instructions, `</3`."""
    if not text.startswith("<!--", begin):
        return text.find(">", begin) + 1 or len(text)
    if text.startswith((">", "->"), begin + 4):
        return text.index(">", begin) + 1
    end = _COMMENT_END.search(text, begin + 4)
    return end.end() if end else len(text)
