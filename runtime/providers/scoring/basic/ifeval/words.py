"""The words, sentences and language of an answer."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_WHOLE_WORD = re.compile(r"[^\W_]+(?:[-'\u2019.&][^\W_]+)*")
_SENTENCE_END = re.compile(
    r"(?<![.!?\u2026])[.!?\u2026]++[\"'\u201D\u2019)\]}*_]*+(?=\s|$)|[\u3002\uFF01\uFF1F\u0964]+"
)
"""A run of its characters is looked at once, from its beginning: an answer may have very long ones."""
_LAST_WORD = re.compile(r"[^\s\"'(\[{\u201C]+$")
_ITEM = re.compile(r"(?:\A|\n)\s*\d{1,3}$")
_ALWAYS_WITH_MORE = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "rev", "hon", "gen", "col", "capt", "lt", "sgt", "st", "mt", "vs", "fig", "figs")
)
"""Abbreviations that no sentence ends with."""
_MAY_END = frozenset(("etc", "inc", "ltd", "co", "corp", "jr", "sr", "dept", "approx", "al", "no", "e.g", "i.e", "cf"))
"""Abbreviations that a sentence may end with, where the next word begins with a capital."""
_LONGEST_LOOKED_AT = 20_000
"""Characters by which a language is told."""


def count_words(text: str) -> int:
    """How many runs of letters and digits there are."""
    return len(_WORD.findall(text))


def capital_words(text: str) -> int:
    """How many words are in capitals; one with a hyphen or an apostrophe is one word."""
    return sum(word.isupper() for word in _WHOLE_WORD.findall(text))


def count_sentences(text: str) -> int:
    """How many sentences there are, the last one also without an end."""
    count, start = 0, 0
    for end in _SENTENCE_END.finditer(text):
        if not _WORD.search(text, start, end.start()):
            start = end.end()  # `...` alone
        elif _ends(text, end):
            count, start = count + 1, end.end()
    return count + bool(_WORD.search(text, start))


def _ends(text: str, end: re.Match[str]) -> bool:
    """Whether what may be the end of a sentence is one: no abbreviation, no initial, no number of a list's item."""
    is_followed_by_more = text[end.end() : end.end() + 50].lstrip()[:1].islower()
    if end[0] != ".":
        return not (is_followed_by_more and (end[0].startswith("..") or end[0][-1] not in ".!?"))
    before = text[max(0, end.start() - 30) : end.start()]
    if _ITEM.search(before):
        return False
    last = _LAST_WORD.search(before)
    word = last[0].lower() if last else ""
    if word in _ALWAYS_WITH_MORE or (len(word) == 1 and word.isalpha() and word != "i"):
        return False
    return not (is_followed_by_more and (word in _MAY_END or "." in word))


def language_of(text: str) -> str | None:
    """Its ISO 639-1 code; None where there are no letters. In lower case, since capitals look like no language."""
    looked_at = text[:_LONGEST_LOOKED_AT].lower().encode("utf-8", "replace").decode("utf-8")
    if not any(character.isalpha() for character in looked_at):
        return None
    import py3langid  # not above: it takes 0.2 s and 30 MB, and few rows ask for a language

    code: str = py3langid.classify(looked_at)[0]
    return code
