"""Instructions about what is said: keywords, lengths, languages, case, parts of an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runtime.providers.scoring.basic.ifeval.instruction import Instruction, holds
from runtime.providers.scoring.basic.ifeval.words import capital_words, count_sentences, count_words, language_of

_ENDS_A_WORD = re.compile(r"[.,?!'\"]")


def _has_keywords(answer: str, keywords: Sequence[str]) -> bool:
    return all(keyword.lower() in answer.lower() for keyword in keywords)


def _keyword_is_so_often(answer: str, keyword: str, frequency: float, relation: str) -> bool:
    return holds(answer.lower().count(keyword.strip().lower()), relation, frequency)


def _has_none_of(answer: str, forbidden_words: Sequence[str]) -> bool:
    return not any(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", answer, flags=re.IGNORECASE) for word in forbidden_words
    )


def _letter_is_so_often(answer: str, letter: str, let_frequency: float, let_relation: str) -> bool:
    return holds(answer.lower().count(letter.strip().lower()[:1] or " "), let_relation, let_frequency)


def _is_in_language(answer: str, language: str) -> bool:
    """What has no letters is in every language."""
    return language_of(answer) in (language, None)


def _has_sentences(answer: str, num_sentences: float, relation: str) -> bool:
    return holds(count_sentences(answer), relation, num_sentences)


def _has_words(answer: str, num_words: float, relation: str) -> bool:
    return holds(count_words(answer), relation, num_words)


def _has_paragraphs(answer: str, num_paragraphs: float) -> bool:
    """Paragraphs stand between lines of `***`; only before the first and after the last there may be nothing."""
    parts = [bool(part.strip()) for part in answer.split("***")]
    return all(parts[1:-1]) and sum(parts) == num_paragraphs


def _paragraph_begins_with(answer: str, num_paragraphs: float, nth_paragraph: float, first_word: str) -> bool:
    """Paragraphs stand between two line feeds, which is how they are numbered; empty ones are not counted."""
    parts = answer.split("\n\n")
    count, at = sum(bool(part.strip()) for part in parts), int(nth_paragraph) - 1
    words = parts[at].split() if 0 <= at < count else []
    if not words:
        return False
    word = _ENDS_A_WORD.split(words[0].lstrip("'").lstrip('"'), maxsplit=1)[0]
    return count == num_paragraphs and word.lower() == first_word.lower()


def _has_capital_words(answer: str, capital_frequency: float, capital_relation: str) -> bool:
    return holds(capital_words(answer), capital_relation, capital_frequency)


def _is_english_in_capitals(answer: str) -> bool:
    return answer.isupper() and language_of(answer) == "en"


def _is_english_in_lower_case(answer: str) -> bool:
    return answer.islower() and language_of(answer) == "en"


def _has_no_comma(answer: str) -> bool:
    return "," not in answer


CONTENTS = {
    "keywords:existence": Instruction(follows=_has_keywords, arguments={"keywords": "texts"}),
    "keywords:frequency": Instruction(
        follows=_keyword_is_so_often, arguments={"keyword": "text", "frequency": "number", "relation": "relation"}
    ),
    "keywords:forbidden_words": Instruction(follows=_has_none_of, arguments={"forbidden_words": "texts"}),
    "keywords:letter_frequency": Instruction(
        follows=_letter_is_so_often,
        arguments={"letter": "text", "let_frequency": "number", "let_relation": "relation"},
    ),
    "language:response_language": Instruction(follows=_is_in_language, arguments={"language": "text"}),
    "length_constraints:number_sentences": Instruction(
        follows=_has_sentences, arguments={"num_sentences": "number", "relation": "relation"}
    ),
    "length_constraints:number_paragraphs": Instruction(
        follows=_has_paragraphs, arguments={"num_paragraphs": "number"}
    ),
    "length_constraints:number_words": Instruction(
        follows=_has_words, arguments={"num_words": "number", "relation": "relation"}
    ),
    "length_constraints:nth_paragraph_first_word": Instruction(
        follows=_paragraph_begins_with,
        arguments={"num_paragraphs": "number", "nth_paragraph": "number", "first_word": "text"},
    ),
    "change_case:capital_word_frequency": Instruction(
        follows=_has_capital_words, arguments={"capital_frequency": "number", "capital_relation": "relation"}
    ),
    "change_case:english_capital": Instruction(follows=_is_english_in_capitals, arguments={}),
    "change_case:english_lowercase": Instruction(follows=_is_english_in_lower_case, arguments={}),
    "punctuation:no_comma": Instruction(follows=_has_no_comma, arguments={}),
}
