"""Where the answer of a solution is.

As MATH has it (Hendrycks et al. 2021, https://github.com/hendrycks/math): what is in the last `\\boxed{...}`; and as
Minerva has it (Lewkowycz et al. 2022, appendix D.1): what follows "final answer is".
"""

from __future__ import annotations

import re

_BOX = re.compile(r"\\(?:boxed|fbox)\s*")
_NEXT_QUESTION = re.compile(r"\n[ \t]*(?:Q|(?:Question|Problem)(?: \d+)?):")
_LONGEST = 1000
"""Characters of an answer: a longer text has none, or a nonsensical one."""


def before_next_question(text: str) -> str:
    """A solution without the questions that a model has added to it, as it does after examples."""
    return _NEXT_QUESTION.split(text, maxsplit=1)[0]


def boxed_in(text: str) -> str | None:
    """What the last box has in it; None where there is no box, or it is not closed."""
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return None
    start = boxes[-1].end()
    if text[start : start + 1] != "{":
        return text[start:].split("$")[0].split("\n")[0].strip() or None
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0) if text[at - 1] != "\\" else 0
        if depth == 0:
            return text[start + 1 : at].strip()
    return None


def answer_in(text: str, found: str | None) -> str | None:
    """The answer of a solution. found: what an expression has found of it. None where there is none."""
    for part in (found, text):
        if part is not None and (boxed := boxed_in(part)) is not None:
            return boxed if len(boxed) <= _LONGEST else None
        if part is not None and part.strip() and len(part) <= _LONGEST:
            return part.strip()
    return None
