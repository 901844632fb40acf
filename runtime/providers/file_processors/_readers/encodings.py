"""In which encoding a text is: by its mark, by where its NULs stand, UTF-8, or the likeliest of the older ones.

Few words in an older encoding cannot be told apart by statistics, so what reads well as Western European counts as it.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, with whose mark it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BY_NULS: dict[tuple[bool, ...], str] = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
"""Which of four bytes are mostly NUL in a text that is mostly ASCII."""
_LOOKED_AT_BYTES = 64 * 1024
_BEFORE_BYTES = 1024
"""Of ASCII before the first other byte: a part of the letters among which it stands."""
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_LEAST_BYTES = 8
"""For that to be no chance."""
_MANY_NULS, _FEW_NULS = 0.6, 0.05
"""Shares of the bytes at a place: of those that belong to characters, and of those that are characters themselves."""

_WESTERN = "cp1252"
_OLDER = (
    *(_WESTERN, "cp1250", "iso8859_2", "cp1251", "koi8_r", "cp1253", "iso8859_7", "cp1254", "cp1255", "cp1256"),
    *("cp1257", "cp1258", "cp866", "cp874", "gb18030", "big5", "euc_jp", "shift_jis", "euc_kr"),
)
"""Those that browsers read: among all there are, a short text is found to be in one that nobody uses."""
_DECLARED = re.compile(
    r"utf-8|iso8859-\d+|cp(125\d|866|874|932|949|950)|koi8-[ru]|mac-(roman|cyrillic)|gb18030"
    r"|big5(hkscs)?|euc_jp|iso2022_jp"
)
"""The codecs for what a page may say: others are of Python alone, or are not what a page can be in that says so."""
_WIDER = {
    "ascii": _WESTERN,
    "iso8859-1": _WESTERN,
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
"""What pages have that say these: the same characters, and more."""
_ACCENTED = "À-ÖØ-öø-ÿ"
_RUNS = re.compile(f"[{_ACCENTED}]+")
_LETTERS = re.compile(f"[A-Za-z{_ACCENTED}]")
_NOT_WESTERN = re.compile(
    r"[ŠŽšžŸƒˆ\u02dc¤¦¬¯¨\u00b8]"
    r"|(?<![A-Za-z])\u00b4|\u00b4(?![^\W\d_])"
    r"|(?<=[^\W\d_])([¡¢£¥§©®°±¶¿¹²³\u00d7÷ªº\u201a„†‡‰\u2039•™\u203a€](?=[^\W\d_])|[¼½¾¶±])"
    r"|¶(?=[^\W\d_])"
)
"""What letters of other encodings become when they are read as Western ones: signs in the middle of words. An
acute between letters stands for an apostrophe.
"""


def unicode_encoding(content: bytes) -> str | None:
    """The encoding of Unicode that a text shows, by its mark or by NULs at every second or fourth byte; None for
    UTF-8 without a mark and for all others.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    head = content[:_LOOKED_AT_BYTES]
    if len(head) < _LEAST_BYTES or len(head) % 2:
        return None
    shares = [place.count(0) / len(place) for place in (head[at::4] for at in range(4))]
    if any(_FEW_NULS < share < _MANY_NULS for share in shares):
        return None
    return _BY_NULS.get(tuple(share >= _MANY_NULS for share in shares))


def decoded(content: bytes) -> str:
    """The text; what cannot be read in its encoding becomes U+FFFD."""
    if (encoding := unicode_encoding(content)) is not None:
        return content.decode(encoding, errors="replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        start = next(_BEYOND_ASCII.finditer(content)).start()  # what is ASCII tells nothing, and may be long
        start = max(0, start - _BEFORE_BYTES)
        return content.decode(_older_or_broken(content[start : start + _LOOKED_AT_BYTES]), errors="replace")


def decoded_as(content: bytes, codec: str) -> str | None:
    """The text of a page that declares it; what is broken becomes U+FFFD. None where that is most of it, or where it
    is UTF-8 instead: it says what it is not.
    """
    for strict in (codec, "utf-8"):
        with suppress(UnicodeDecodeError):
            return content.decode(strict)
    text = content.decode(codec, errors="replace")
    broken = text.count("\ufffd")
    return text if sum(character > "\x7f" for character in text) > broken * 2 else None


def codec_of(declared: str) -> str | None:
    """The codec for an encoding that a page declares; None for one that no page is in.
    https://encoding.spec.whatwg.org/#names-and-labels
    """
    try:
        name = codecs.lookup(declared).name
    except LookupError:
        return None
    if (wider := _WIDER.get(name)) is not None:
        return wider
    return name if _DECLARED.fullmatch(name) else None


def _older_or_broken(head: bytes) -> str:
    text = head.decode(errors="replace")
    broken = text.count("\ufffd")
    if sum(character > "\x7f" for character in text) > broken * 5:
        return "utf-8"
    if _is_western(head):
        return _WESTERN
    from charset_normalizer import from_bytes  # seldom needed, and takes 0.1 s

    best = from_bytes(head, cp_isolation=list(_OLDER)).best()
    return best.encoding if best is not None else _WESTERN


def _is_western(head: bytes) -> bool:
    """Whether the letters beyond ASCII are one or two at a time and the fewer, as accented ones are, and nothing is
    where Western texts do not have it.
    """
    try:
        text = head.decode(_WESTERN)
    except UnicodeDecodeError:
        return False
    runs = [len(run) for run in _RUNS.findall(text)]
    letters = sum(1 for _ in _LETTERS.finditer(text))
    return (
        sum(runs) <= 2 * len(runs) and (letters < 4 or sum(runs) * 2 <= letters) and _NOT_WESTERN.search(text) is None
    )
