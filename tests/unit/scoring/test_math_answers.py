"""Which answers to problems of mathematics say the same, and where they are in a solution."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.providers.scoring.basic.math.finding import answer_in, before_next_question, boxed_in
from runtime.providers.scoring.basic.math.response import is_same_answer
from runtime.providers.scoring.basic.math.value import NoValue, value_of

PUBLISHED = [  # the rules of Minerva, arXiv:2206.14858, appendix D.1, each with an answer that it is for
    (r"\$18", "18"),
    (r"1,000", "1000"),
    (r"5 \text{ cm}^2", "5"),
    (r"45^\circ", "45"),
    (r"45^{\circ}", "45"),
    (r"18\%", "18"),
    ("12 square units", "12"),
    (r"\text{(B)}", "B"),
    (r"\mbox{east}", r"\text{East}"),
    (r"\frac12", r"\frac{1}{2}"),
    (r"\sqrt3", r"\sqrt{3}"),
    ("x = 7", "7"),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})"),
    ("10.", "10"),
    (r"1 \text{ and } 2", "1,2"),
    ("(a)", "a"),
]
ALIKE = [
    ("0.5", r"\frac{1}{2}"),
    ("1/2", ".5"),
    (r"\dfrac{1}{2}", r"\tfrac12"),
    (r"-\frac{1}{3}", r"\frac{-1}{3}"),
    (r"3\frac12", "3.5"),
    (r"\sqrt{8}", r"2\sqrt2"),
    (r"\sqrt[3]{27}", "3"),
    (r"\frac{\sqrt{3}}{2}", r"\frac12\sqrt{3}"),
    ("x^2+2x+1", "(x+1)^2"),
    (r"\frac{a}{b}", "a/b"),
    ("x_1+x_2", "x_2+x_1"),
    (r"\sin^2 x+\cos^2 x", "1"),
    (r"\log_2 8", "3"),
    ("1+2i", "2i+1"),
    (r"10^{100}", r"10^{99} \cdot 10"),
    (r"\{1,2\}", r"\{2,1\}"),
    ("1, 2", "2,1"),
    (r"[0,\infty)", r"x \in [0, \infty)"),
    (r"1{,}000", "1000"),
]
DIFFERENT = [
    ("0.333", r"\frac13"),
    ("(0,1)", "[0,1]"),
    ("(1,2)", "(2,1)"),
    ("1,1,2", "1,2,2"),
    ("(1,234)", "1234"),
    ("12345678901234567", "12345678901234568"),
    ("x+1", "x+2"),
    ("x", "y"),
    ("x_1", "x_2"),
    ("10_2", "10_3"),
    ("1/0", "2/0"),
    (r"\frac{1}{", "1"),
    ("A", "B"),
    ("", "1"),
    ("50", "0.5"),
]


@pytest.mark.parametrize("one, other", PUBLISHED + ALIKE)
def test_answers_that_say_the_same(one: str, other: str) -> None:
    assert is_same_answer(one, other) and is_same_answer(other, one)


@pytest.mark.parametrize("one, other", DIFFERENT)
def test_answers_that_do_not(one: str, other: str) -> None:
    assert not is_same_answer(one, other) and not is_same_answer(other, one)


@pytest.mark.parametrize(
    "solution, answer",
    [
        (r"Therefore, it is $\boxed{\left( 3, \frac{\pi}{2} \right)}.$", r"\left( 3, \frac{\pi}{2} \right)"),
        (r"\boxed{1}, no, \boxed{\{2\}}", r"\{2\}"),
        (r"\fbox{4}", "4"),
        (r"it is $\boxed 5$ then", "5"),
    ],
)
def test_the_answer_is_in_the_last_box(solution: str, answer: str) -> None:
    assert boxed_in(solution) == answer


def test_what_an_expression_has_found_comes_first() -> None:
    assert answer_in(r"\boxed{1} The final answer is $\boxed{2}$", r"\boxed{2}") == "2"
    assert answer_in(r"\boxed{1}", "2") == "2"


def test_a_solution_without_an_answer_has_none() -> None:
    assert answer_in("so on " * 500, None) is None
    assert boxed_in(r"\boxed{1") is None
    assert answer_in(r"\boxed{" + "1" * 2000 + "}", None) is None


def test_a_question_that_a_model_adds_is_not_its_answer() -> None:
    assert before_next_question("\\boxed{1}\n\nQ: what?\n\\boxed{2}").strip() == "\\boxed{1}"
    assert before_next_question("\\boxed{1}\nProblem 2: what?") == "\\boxed{1}"


@pytest.mark.parametrize(
    "text", ["(" * 2000, r"\frac{" * 300, "9^" * 200 + "9", "1 " * 1000, "", "x=1", "=", "^", "_", "a_", r"\frac1"]
)
def test_what_is_no_expression_has_no_value(text: str) -> None:
    with pytest.raises(NoValue):
        value_of(text)


@pytest.mark.parametrize("huge", ["9^{9^{9^9}}", "((((9^{64})^{64})^{64})^{64})^{64}", "10^{400}", "9" * 59])
def test_huge_numbers_are_no_trouble(huge: str) -> None:
    for other in (r"\pi", huge + "+1", "1"):
        assert not is_same_answer(huge, other)


PIECES = [*"{}()[]^_$!xi+-*/,=\\", "\\frac", "\\sqrt", "\\pi", "\\log", "\\text{", "\\{", "\\}", "12", "0.5"]
written = st.lists(st.sampled_from([*PIECES, " "])).map("".join)


@given(written, written)
def test_whatever_is_written_is_the_same_or_not(one: str, other: str) -> None:
    assert is_same_answer(one, one)
    assert is_same_answer(one, other) == is_same_answer(other, one)
