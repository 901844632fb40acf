"""`regex_parser_math_response`: whether the answer of a solution is the expected one."""

from __future__ import annotations

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import EXPECTED, GENERATED, ListedFunction
from runtime.apis.scoring.params import RegexParserParams
from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.basic.math.finding import answer_in, before_next_question
from runtime.providers.scoring.basic.math.value import same_value
from runtime.providers.scoring.basic.math.writing import parts_of, written_alike
from runtime.providers.scoring.basic.row_function import RowFunction, ScoreRow, Told, text_in

_FINAL_ANSWER = r"(?i)final answer is:?\s*\$([^$\n]+)\$"
_MOST_PARTS = 50


def is_same_answer(one: str, other: str) -> bool:
    """Whether two answers say the same: they are written alike, or have the same value, each part of them for itself;
    the parts of a set, and of a list without brackets, in any order.
    """
    one, other = written_alike(one), written_alike(other)
    if one == other or (len(one) > 1 and one.isalpha() and one.lower() == other.lower()):
        return True
    (brackets, parts), (others_brackets, others_parts) = parts_of(one), parts_of(other)
    if brackets != others_brackets or len(parts) != len(others_parts) or len(parts) > _MOST_PARTS:
        return False
    if len(parts) == 1:
        return same_value(parts[0], others_parts[0])
    if brackets in ("", "\\{\\}"):
        return _have_the_same(parts, others_parts)
    return all(_is_same_part(*pair) for pair in zip(parts, others_parts, strict=True))


def _is_same_part(one: str, other: str) -> bool:
    return one == other or same_value(one, other)


def _have_the_same(parts: list[str], others: list[str]) -> bool:
    left = list(others)
    for part in parts:
        found = next((at for at, other in enumerate(left) if _is_same_part(part, other)), None)
        if found is None:
            return False
        del left[found]
    return True


def _prepare(told: Told) -> ScoreRow:
    def score(row: Row) -> Row:
        expected = answer_in(text_in(row, EXPECTED), None)
        if expected is None or not written_alike(expected):
            raise NotScored(f"`{EXPECTED}` has no answer in it")
        text = before_next_question(text_in(row, GENERATED))
        parsed = answer_in(text, told.regexes.find_in(text))
        return {"score": float(parsed is not None and is_same_answer(parsed, expected)), "parsed_answer": parsed}

    return score


MATH_RESPONSE = RowFunction(
    listed=ListedFunction(
        name="regex_parser_math_response",
        description="1.0 where the answer of a solution, in a box or after `final answer is`, is the expected one: the"
        " same text but for how it is set, or the same value",
        params=RegexParserParams(parsing_regexes=[_FINAL_ANSWER], aggregation_functions=["accuracy"]),
    ),
    prepare=_prepare,
)
