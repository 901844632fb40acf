"""The words by which texts are found: the same for what is indexed and for what is asked, whatever its spelling.

    get_user_name, getUserName, get-user-name   ->  getusernam, get, user, name
    os.path.join                                ->  os.path.join, os, path, join
    /v1/files                                   ->  v1/files, v1, file
    v1.2.3                                      ->  v1.2.3, 1.2.3
    Cafés, 1,000, 10GB, C++, don't              ->  cafe, 1000, 10gb, 10, gb, c++, dont
    全文検索                                    ->  全文, 文検, 検索, and each character, which questions leave out

Names are found whole and by their parts. Letters lose their case and their accents, and words their English endings.
Scripts without blanks between words are cut into pairs of characters. Knows no index: how often words occur, and where,
is others' business.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from Stemmer import Stemmer

_RULES = 1
"""Changed with every change of what this file makes of a text."""
_LONGEST = 128
"""Characters of a word that count; two longer ones that begin alike are one."""
_LONGEST_SPELLED = 1024
"""Characters of a name whose accents are looked at together: their order takes time with the square of their count."""
_LONGEST_KEPT, _MOST_KEPT = 64, 1 << 16
"""Characters of a name whose words are kept, and how many are: about 20 MB."""

# Thai, Lao, Burmese, Khmer, Chinese, Japanese, Korean.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\U00020000-\U0003ffff"
)
# What belongs to a word although it is neither letter nor digit: accents, vowel signs, what is invisible.
_INVISIBLE = "\u00ad\u200b-\u200d\u2060\ufeff"
_ACCENTS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670"
_MARKS = f"[{_INVISIBLE}{_ACCENTS}\u0900-\u0963\u0966-\u0dff]"
_COMMON = r"\d{{1,3}}(?:,\d{{3}}){{1,9}}+(?!,?\w)|[A-Za-z](?:\+\+|\#)(?![\w+#])|{part}(?:{between}{part})*"
_IN_ASCII = re.compile(_COMMON.format(part="[A-Za-z0-9_]++", between="(?:::|[-.'/@])"))
_IN_ANY = re.compile(
    rf"[{_UNSPACED}]+|"
    + _COMMON.format(part=rf"(?:[^\W{_UNSPACED}]++|{_MARKS}++)++", between="(?:::|[-.'/@\u2010\u2011\u2019])")
)
_UNSPACED_FIRST = re.compile(rf"[{_UNSPACED}]")
_BETWEEN_STEPS = re.compile(r"::|[/@]")
_BETWEEN_PIECES = re.compile(r"[-_']+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_SHORTENED = re.compile(r"'(?:s|re|ve|ll|d|m)$", re.IGNORECASE)
_VERSION = re.compile(r"v(\d++(?:\.\d++)++\w*)")
_MEASURE = re.compile(r"(\d+)([A-Za-z]{1,3})")

_DROPPED = re.compile(f"[{_INVISIBLE}{_ACCENTS}]+")
_SPELLED = str.maketrans(
    {"\u2019": "'", "\u2010": "-", "\u2011": "-", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"}
)

_STOP_WORDS = """
a about after again all also am an and any are as at be because been before being between both but by can could did do
does doing done during each few for from further had has have having he her here hers him his how i if in into is it its
just may me might more most must my of off on once only or other our ours out over own same shall she should so some
such than that the their theirs them then there these they this those through to too under until up upon us very was we
were what when where whether which while who whom whose why will with would you your yours
"""


def words_of(text: str) -> list[str]:
    """The words of a text to index, in its order, as often as they occur. None has more than 128 characters.

    Needs the package `PyStemmer`.
    """
    return list(chain.from_iterable(map(_words, _names(text))))


def query_words_of(text: str) -> list[str]:
    """The words to search for, each once: those of the text without the ones that every English text has, unless it has
    no others.
    """
    asked = (_pairs(name) if _UNSPACED_FIRST.match(name) else _words(name) for name in _names(text))
    words = dict.fromkeys(chain.from_iterable(asked))
    return [word for word in words if word not in _stop_words()] or list(words)


@cache
def words_version() -> int:
    """What changes whenever a text may get other words, so that an index has to be made anew."""
    from Stemmer import version

    major, minor, *_ = version().split(".")
    return _RULES << 16 | int(major) << 8 | int(minor)


def _names(text: str) -> list[str]:
    """What is between blanks and marks, with the marks that names have inside."""
    return (_IN_ASCII if text.isascii() else _IN_ANY).findall(text)


class _Words(dict[str, tuple[str, ...]]):
    """The words of names, each once, as they are asked for. Short names are kept: most occur again and again."""

    def __missing__(self, name: str) -> tuple[str, ...]:
        words = _new_words(name)
        if len(name) <= _LONGEST_KEPT:
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[name] = words
        return words


_known = _Words()
_words = _known.__getitem__


def _new_words(name: str) -> tuple[str, ...]:
    if _UNSPACED_FIRST.match(name):
        return (*_pairs(name), *(name if len(name) > 1 else ()))
    if not name.isascii() and (plain := _plain(name)) != name:
        return tuple(dict.fromkeys(chain.from_iterable(map(_words, _names(plain)))))
    if name.isalpha() and name.islower():
        return (_stem(name),)
    return tuple(dict.fromkeys(word[:_LONGEST] for word in _words_of_name(name) if word))


def _plain(name: str) -> str:
    """Without accents and invisible characters, and in the one form that Unicode has for the same letters."""
    parts = (name[at : at + _LONGEST_SPELLED] for at in range(0, len(name), _LONGEST_SPELLED))
    return "".join(map(_plain_part, parts))


def _plain_part(part: str) -> str:
    decomposed = unicodedata.normalize("NFKD", part)
    return unicodedata.normalize("NFC", _DROPPED.sub("", decomposed)).translate(_SPELLED)


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(max(1, len(run) - 1))]


def _words_of_name(name: str) -> Iterator[str]:
    if name[-1] in "+#" or "," in name:
        yield name.replace(",", "").casefold()
        return
    name = _SHORTENED.sub("", name)
    steps = _BETWEEN_STEPS.split(name)
    if len(steps) > 1:
        yield name.casefold().strip("_")
    for step in steps:
        whole = step.casefold()
        parts = step.split(".")
        if len(parts) > 1:
            yield whole
        if version := _VERSION.fullmatch(whole):
            yield version[1]
        else:
            for part in parts:
                yield from _words_of_part(part, is_alone=len(parts) == 1)


def _words_of_part(part: str, *, is_alone: bool) -> Iterator[str]:
    if part.isdigit() and not is_alone:
        return
    if measure := _MEASURE.fullmatch(part):
        yield from (part.casefold(), measure[1], _stem(measure[2]))
        return
    pieces = [piece for piece in _BETWEEN_PIECES.split(part) if piece]
    yield _stem("".join(pieces))
    if len(pieces) > 1 and not part.casefold().endswith("n't"):
        yield from map(_stem, pieces)


def _stem(word: str) -> str:
    word = word.casefold()[:_LONGEST]
    return _stemmer().stemWord(word) if word.isalpha() else word


@cache
def _stemmer() -> Stemmer:
    from Stemmer import Stemmer  # a distribution without vector stores does not have it

    return Stemmer("english", 0)  # without its own cache: what it makes is kept here


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(word for one in _STOP_WORDS.split() for word in _words(one))
