"""Instructions, followed and not: for each kind what the cases of IFEval's own tests are about, in words of ours
(`instruction_following_eval/instructions_test.py`). Languages: `tests/conformance/scoring/test_languages.py`.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.basic.ifeval.function import IFEVAL, INSTRUCTIONS, IFEvalOptions, variants_of
from runtime.providers.scoring.basic.ifeval.words import capital_words, count_sentences, count_words
from runtime.providers.scoring.basic.row_function import Told

MOST, LEAST = {"relation": "less than"}, {"relation": "at least"}
FIRST_WORD = {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "Really"}
FOLLOWED: list[tuple[str, dict[str, Any], str]] = [
    ("keywords:existence", {"keywords": ["tower", "Mona Lisa"]}, "See the Tower, and the mona lisa."),
    ("keywords:frequency", {"keyword": " word ", "frequency": 3, **LEAST}, "word, Word, *WORD"),
    ("keywords:frequency", {"keyword": "word", "frequency": 4, **MOST}, "word, Word, WORD"),
    ("keywords:forbidden_words", {"forbidden_words": ["trans", "gene"]}, "A transformer generates."),
    ("keywords:letter_frequency", {"letter": "T", "let_frequency": 3, "let_relation": "at least"}, "Two t's: T"),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 2, "let_relation": "at least"}, "#a #b"),
    ("length_constraints:number_sentences", {"num_sentences": 4, **LEAST}, "aa. bb,b! cc|c. d&d d?"),
    ("length_constraints:number_sentences", {"num_sentences": 5, **MOST}, "aa. bb,b! cc. d(d)d?"),
    ("length_constraints:number_words", {"num_words": 8, **MOST}, "s3ven wOrds w1th d1gits in th3m all"),
    ("length_constraints:number_words", {"num_words": 3, **LEAST}, "one & two-three"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 3}, "one\n***\ntwo\n***\nthree"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "***\none\n***\ntwo\n***"),
    ("length_constraints:nth_paragraph_first_word", FIRST_WORD, 'One.\n\n"Really?! Yes.\n\nThree.'),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "Dear [name],\nof [address]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "So it is. p. s. one thing more"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "So.\n\nP. P.S. one thing more"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 3}, "List:\n* one\n  *two\n- three\nnot * this"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "one\n***\n* two"),
    ("detectable_format:constrained_response", {}, "\n My answer is no. But perhaps."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 4}, "*a b* and *c*, **d** and **e**"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        "SECTION 1\na\nSECTION 2",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```'),
    ("detectable_format:title", {}, "Is it at the end?\n<<A title>>"),
    ("combination:two_responses", {}, "one\n******\ntwo\n******\n"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, "say hi. Hi!"),
    ("startend:end_checker", {"end_phrase": " Any questions? "}, 'That is all. "any questions?"\n'),
    ("startend:quotation", {}, ' "All of it." '),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 3, "capital_relation": "at least"},
        "A WELL-KNOWN X ray",
    ),
    ("punctuation:no_comma", {}, "None here; none there."),
]
NOT_FOLLOWED: list[tuple[str, dict[str, Any], str]] = [
    ("keywords:existence", {"keywords": ["tower", "Mona Lisa"]}, "See the tower."),
    ("keywords:frequency", {"keyword": "word", "frequency": 3, **LEAST}, "word, word"),
    ("keywords:forbidden_words", {"forbidden_words": ["TEXT"]}, "It is a text."),
    ("keywords:letter_frequency", {"letter": "a", "let_frequency": 2, "let_relation": "less than"}, "aA"),
    ("length_constraints:number_sentences", {"num_sentences": 4, **MOST}, "aa,a. bb,b! cc/c. d{d}d?"),
    ("length_constraints:number_sentences", {"num_sentences": 5, **LEAST}, "a-a. bb,b! c}c. d,dd?"),
    ("length_constraints:number_words", {"num_words": 3, **MOST}, "one & two-three"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "one\n***\ntwo\n***\n***"),
    ("length_constraints:nth_paragraph_first_word", FIRST_WORD, "One.\n\nReal!ly.\n\nThree."),
    ("length_constraints:nth_paragraph_first_word", FIRST_WORD, "One.\n\nReally."),
    ("length_constraints:nth_paragraph_first_word", {**FIRST_WORD, "nth_paragraph": 9}, "One.\n\nReally.\n\nThree."),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "Dear [name], of [nowhere\n]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "PS: one thing more"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n* two\n* three"),
    ("detectable_format:constrained_response", {}, "No."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*one\n*two*\n*three\n* *"),
    ("detectable_format:multiple_sections", {"section_spliter": "Section", "num_sections": 3}, "Section 1, Section X"),
    ("detectable_format:json_format", {}, "{'a': 1}"),
    ("detectable_format:title", {}, "<< >>\n<<no\ntitle>>"),
    ("combination:two_responses", {}, "one\n******\none"),
    ("combination:two_responses", {}, "******\none\n******\n******\ntwo\n******"),
    ("combination:two_responses", {}, "one\n******\ntwo\n******\nthree"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, "Hi! Say hi."),
    ("startend:end_checker", {"end_phrase": "Any questions?"}, "Any questions? Ask."),
    ("startend:quotation", {}, '"Some of it." And more.'),
    ("startend:quotation", {}, '"'),
    ("change_case:english_capital", {}, "Every Word"),
    ("change_case:english_lowercase", {}, "Almost all of it"),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "less than"}, "ONE and TWO"),
    ("punctuation:no_comma", {}, "One, two."),
]


def said(answer: str, *instructions: tuple[str, Any], loose: bool = False) -> Any:
    row = {
        "generated_answer": answer,
        "instruction_id_list": [name for name, _ in instructions],
        "kwargs": [arguments for _, arguments in instructions],
    }
    told = Told(options=IFEvalOptions(loose=loose), regexes=None)  # type: ignore[arg-type]  # it searches for none
    return IFEVAL.prepare(told)(row)


@pytest.mark.parametrize("name, arguments, answer", FOLLOWED)
def test_an_instruction_is_followed(name: str, arguments: dict[str, Any], answer: str) -> None:
    assert said(answer, (name, arguments)) == {"score": 1.0, "weight": 1, "followed": [True], "loosely": [True]}


@pytest.mark.parametrize("name, arguments, answer", NOT_FOLLOWED)
def test_an_instruction_is_not_followed(name: str, arguments: dict[str, Any], answer: str) -> None:
    assert said(answer, (name, arguments))["followed"] == [False]


def test_there_are_cases_of_each_kind() -> None:
    by_language = {"language:response_language", "change_case:english_capital", "change_case:english_lowercase"}
    assert len(INSTRUCTIONS) == 25  # table 1 of the paper
    assert {name for name, _, _ in FOLLOWED} | by_language == {*INSTRUCTIONS}
    assert {name for name, _, _ in NOT_FOLLOWED} | by_language == {*INSTRUCTIONS}


def test_the_score_is_the_share_that_is_followed() -> None:
    found = said("one, two", ("punctuation:no_comma", None), ("startend:end_checker", {"end_phrase": "two", "x": None}))
    assert (found["score"], found["weight"], found["followed"]) == (0.5, 2, [False, True])


def test_an_empty_answer_follows_nothing() -> None:
    assert said(" \n", ("punctuation:no_comma", {}))["score"] == 0.0


def test_loosely_a_first_line_a_last_line_and_asterisks_do_not_count() -> None:
    assert variants_of("a\n*b*\nc") == ["*b*\nc", "a\n*b*", "*b*", "a\nb\nc", "b\nc", "a\nb", "b"]
    for answer in ("Sure, here it is:\nnone", "none\nBest, me", "*none*, \nnone\n,", "Well,\nnone\nBest, me"):
        strict, loose = (said(answer, ("punctuation:no_comma", {}), loose=loose) for loose in (False, True))
        assert (strict["score"], loose["score"]) == (0.0, 1.0)
        assert strict["loosely"] == loose["loosely"] == [True] and loose["followed"] == [False]


@pytest.mark.parametrize(
    "text, sentences",
    [
        ("", 0),
        ("no end", 1),
        ("One. Two! Three?", 3),
        ("Dr. Smith met Mr. J. Doe at 3.5 p.m. on the hill. They spoke.", 2),
        ("He came from the U.S. in May, e.g. by ship, etc. and so on.", 1),
        ("Things, people, etc. Then it ended.", 2),
        ('"Really?" she asked. "Yes... perhaps."', 2),
        ("It was I. You were there.", 2),
        ("吾輩は猫である。名前はまだ無い。", 2),
        ("Wait... ...what?!", 2),
        ("1. First.\n2. Second.", 2),
    ],
)
def test_sentences_are_counted(text: str, sentences: int) -> None:
    assert count_sentences(text) == sentences


def test_words_are_counted() -> None:
    assert count_words("It's 3.5 well-known_words") == 6
    assert capital_words("DON'T use a WELL-KNOWN Thing, U.S. or R&D, I say 2") == 5


@pytest.mark.parametrize(
    "name, arguments, reason",
    [
        ("keywords:exists", {}, "`keywords:exists` .*keywords:existence"),
        ("length_constraints:number_words", {"num_words": 3}, r"`kwargs\[0\]` has no `relation`"),
        ("length_constraints:number_words", {"num_words": "3", **LEAST}, r"`kwargs\[0\].num_words` is no number"),
        ("length_constraints:number_words", {"num_words": float("inf"), **LEAST}, "is no number"),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 1, "nth_paragraph": float("nan"), "first_word": "a"},
            "is no number",
        ),
        ("length_constraints:number_words", {"num_words": 3, "relation": "at most"}, "`less than` and `at least`"),
        ("keywords:existence", {"keywords": "one"}, "is no list of texts"),
        (3, {}, "should be text"),
        ("punctuation:no_comma", [], r"`kwargs\[0\]` is no object"),
    ],
)
def test_an_instruction_that_makes_no_sense_is_named(name: Any, arguments: Any, reason: str) -> None:
    with pytest.raises(NotScored, match=reason):
        said("a", (name, arguments))


def test_there_is_one_set_of_arguments_for_each_instruction() -> None:
    with pytest.raises(NotScored, match="is for 0 instructions"):
        IFEVAL.prepare(Told(options=IFEvalOptions(), regexes=None))(  # type: ignore[arg-type]  # it searches for none
            {"generated_answer": "a", "instruction_id_list": '["punctuation:no_comma"]', "kwargs": "[]"}
        )
    with pytest.raises(NotScored, match="has 0 instructions"):
        said("a")


@pytest.mark.parametrize("piece", ["\n", "*", "[", "<<", ". ", "a.", "'", " ", "\n* ", "***", '"', "{", "P.", "-\n"])
def test_hostile_answers_take_no_time(piece: str) -> None:
    """What a pattern with two loops would take minutes for."""
    answer = piece * 50_000 + "x"
    began = time.process_time()
    for name, arguments, _ in FOLLOWED:
        said(answer, (name, arguments))
    assert time.process_time() - began < 20


@pytest.mark.parametrize("run", [".", "!)", "?!"])
def test_a_very_long_run_of_ends_is_one_of_none(run: str) -> None:
    assert count_sentences(f"Wait{run * 500_000}what? Yes.") == 2
