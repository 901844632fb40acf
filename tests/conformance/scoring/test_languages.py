"""Instructions about the language of an answer, with the model that tells languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.providers.scoring.basic.ifeval.function import INSTRUCTIONS

LINES = Path(__file__).with_name("languages.tsv").read_text(encoding="utf-8").splitlines()
ANSWERS = dict(line.split("\t") for line in LINES)
"""A sentence in each language that IFEval's data asks for."""


def follows(name: str, answer: str, **arguments: Any) -> bool:
    return INSTRUCTIONS[name].follows(answer, **arguments)


@pytest.mark.parametrize("language", [*ANSWERS])
def test_a_sentence_is_in_its_language_alone(language: str) -> None:
    other = "en" if language != "en" else "de"
    assert follows("language:response_language", ANSWERS[language], language=language)
    assert not follows("language:response_language", ANSWERS[language], language=other)


def test_names_in_another_language_do_not_count() -> None:
    assert follows("language:response_language", "Desayunamos hoy en McDonald's", language="es")
    assert follows("language:response_language", "Today we visit the Louvre", language="en")


def test_what_has_no_letters_is_in_every_language() -> None:
    assert follows("language:response_language", "42 :-)", language="de")


def test_half_a_character_is_no_trouble() -> None:
    assert follows("language:response_language", ANSWERS["de"] + " \ud800", language="de")


def test_english_in_one_case_is_told() -> None:
    sentence = ANSWERS["en"]
    assert follows("change_case:english_capital", sentence.upper() + "!")
    assert follows("change_case:english_lowercase", sentence.lower())
    for name in ("change_case:english_capital", "change_case:english_lowercase"):
        assert not follows(name, sentence)
        assert not follows(name, ANSWERS["de"].upper()) and not follows(name, ANSWERS["de"].lower())
