"""Answers as everybody writes them, made alike: what only looks different becomes the same text.

After Minerva (Lewkowycz et al. 2022: Solving quantitative reasoning problems with language models, appendix D.1), which
leaves out units, dollars, degrees, spaces and what only sets the type. What has the same value, such as `0.5` and
`\\frac12`, is `value.py`'s.
"""

from __future__ import annotations

import re

_UNITS = (
    "m|cm|mm|km|dm|ft|feet|foot|inch|inches|in|yard|yards|mile|miles|meter|meters|metre|metres|kilometers|centimeters"
    "|g|gm|kg|gram|grams|pound|pounds|lb|lbs|ounce|ounces|s|sec|second|seconds|min|minute|minutes|hour|hours|hr|hrs|day"
    "|days|week|weeks|month|months|year|years|mph|kph|dollar|dollars|cent|cents|euro|euros|degree|degrees|radian|radians"
    "|percent|unit|units|square|squares|sq|cubic|cube|way|ways|point|points|digit|digits|integer|integers|number|numbers"
    "|student|students|people|person|edge|edges|solution|solutions|root|roots|ticket|tickets|apple|apples|coin|coins"
    "|time|times|liter|liters|gallon|gallons|bushel|bushels"
)
_REPLACED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"\\text(?:bf|it|rm|sf|tt)|\\mbox|\\mathrm|\\mathbf|\\mathit|\\mathsf|\\operatorname|\\bm", r"\\text"),
        (r"\\\$|\$|\\\(|\\\)|\\\[|\\\]", ""),
        (r"\\(?:left|right|bigl?|bigr?|Bigl?|Bigr?|displaystyle|limits)(?![a-zA-Z])", ""),
        (r"\\[,;:!]|\\ |~|\\q?quad(?![a-zA-Z])", " "),
        (r"\\[dtc]frac", r"\\frac"),
        (r"\\(?:leq|leqslant)(?![a-zA-Z])", r"\\le"),
        (r"\\(?:geq|geqslant)(?![a-zA-Z])", r"\\ge"),
        (r"\\(?:times|cdot|ast)(?![a-zA-Z])|[\u00D7\u22C5]", "*"),
        (r"\\div(?![a-zA-Z])|\u00F7", "/"),
        ("[\u2212\u2013\u2014]", "-"),
        (r"\^\s*\{?\s*\\circ\s*\}?|\\degree|\u00B0|\\?%", ""),
        (r"\\text\s*\{\s*(?:and|or)\s*\}|(?<=[\d}])\s+(?:and|or)\s+(?=[\d\\-])", ","),
        (r"(?<=[\d})])\s*\\text\s*\{[^{}]*\}(?:\^\{?\d\}?)?", ""),  # a unit
        (r"\\text\s*\{([^{}]*)\}", r"\1"),
        (r"\{,\}", ","),
        (rf"(?<=[\d}}])(?:\s+(?:{_UNITS})\b\.?(?:\s*\^\{{?\d\}}?)?)+$", ""),
        (r"^.*(?<![<>!\\])=\s*", ""),  # `x = 5` is 5
        (r"^.*\\in(?![a-zA-Z])\s*", ""),
        (r"\s+", ""),
        (r"\.$", ""),
        (r"(?<![\d])\.(?=\d)", "0."),
        (r"^\(([a-zA-Z])\)$", r"\1"),
    )
)
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_BRACKETS = "([{"


def written_alike(answer: str) -> str:
    """An answer without what does not matter; empty where nothing is left."""
    text = answer.strip()
    for pattern, by in _REPLACED:
        text = pattern.sub(by, text)
    if not text.startswith(("(", "[", "\\{")):  # there `1,000` is two numbers
        text = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    return text


def parts_of(answer: str) -> tuple[str, list[str]]:
    """The brackets around an answer, such as `[)` of an interval or `\\{}` of a set, and what commas divide in them;
    no brackets around a bare list and a single answer.
    """
    for opening, closing in (("\\{", "\\}"), ("(", ")"), ("(", "]"), ("[", ")"), ("[", "]")):
        inner = answer[len(opening) : len(answer) - len(closing)]
        if answer.startswith(opening) and answer.endswith(closing) and _is_closed(inner):
            return opening + closing, _divided(inner)
    return "", _divided(answer)


def _is_closed(text: str) -> bool:
    """Whether every bracket is closed within it."""
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0


def _divided(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]
