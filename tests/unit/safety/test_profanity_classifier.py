"""The classifier's sentences and words, with a model of two words. Against scikit-learn, with the real weights:
`tests/conformance/safety/test_profanity_check.py`.
"""

from __future__ import annotations

import math
import pickle
from array import array
from pathlib import Path

import pytest

from runtime.providers.safety.profanity_check.classifier import TOGETHER, Classifier, _Line
from runtime.providers.safety.profanity_check.pickled import Pickled, read_pickled
from runtime.providers.safety.profanity_check.plain_letters import plain_letters

WORDS = {"nice": 0, "bad": 1, **{f"w{number}": number for number in range(2, 100)}}


def classifier() -> Classifier:
    """Sure of `bad`, sure that `nice` is not; nothing else matters."""
    weights = [-10.0, 10.0, *[0.0] * 98]
    return Classifier(words=WORDS, idf=array("d", [1.0] * 100), lines=(_Line(weights, 0.0, -1.0, 0.0),))


def test_words_are_told_apart_whatever_their_case_and_marks() -> None:
    known = classifier()
    assert known.score("BAD!") == pytest.approx(1 / (1 + math.exp(-10)))
    assert known.score("nice, nice") == pytest.approx(1 / (1 + math.exp(10)))
    assert known.score("bad nice") == known.score("") == known.score("unknown b") == 0.5


@pytest.mark.parametrize(
    "word",
    ["b\u200bad", "b\u00ada\u2060d", "\ufeffb\u200da\u200ed", "\uff22\uff41\uff44", "\U0001d41b\U0001d41a\U0001d41d"],
    ids=["zero-width", "soft-hyphen", "marks", "full-width", "mathematical"],
)
def test_a_word_is_the_one_that_a_reader_sees(word: str) -> None:
    known = classifier()
    assert known.score(f"so {word}!") == known.score("so bad!") > 0.9


def test_what_stands_for_a_phrase_stays_one_character() -> None:
    assert plain_letters("\ufdfa" * 10) == "\ufdfa" * 10


def test_a_long_text_is_as_bad_as_its_worst_sentence() -> None:
    known = classifier()
    sentence = "w2 w3 w4 w5 w6 w7 w8 w9."
    alone = known.score("w3 w4 w5 w6 w7 w8 w9 bad")
    for before in (0, 3, 20):
        text = f"{sentence * before} W3, w4, w5, w6, w7, w8, w9: bad! {sentence * (20 - before)}"
        assert known.score(text) == pytest.approx(alone)
    assert known.score(sentence * 20) == 0.5 < alone


def test_a_short_sentence_is_looked_at_with_the_next() -> None:
    known = classifier()
    sentence = "w2 w3 w4 w5 w6 w7 w8 w9."
    assert known.score(f"Bad. {sentence * 5}") == pytest.approx(known.score(f"bad {sentence}"))
    assert known.score(f"{sentence * 5} Bad.") == pytest.approx(known.score("bad")), "nothing comes after it"


def test_a_long_sentence_is_looked_at_in_windows() -> None:
    known = classifier()
    others = [f"w{2 + number % 98}" for number in range(4 * TOGETHER)]
    alone = known.score(" ".join([*others[: TOGETHER - 1], "bad"]))
    for place in (0, TOGETHER, 2 * TOGETHER + 7, 4 * TOGETHER):
        assert known.score(" ".join([*others[:place], "bad", *others[place:]])) == pytest.approx(alone, rel=0.01)
    assert known.score(" ".join(others)) == 0.5 < alone


def test_words_of_a_text_without_an_end_are_not_cut() -> None:
    known = classifier()
    assert known.score("w2 " * 666 + "bad " + "w2 " * 5000) > 0.5, "around the two thousandth character"
    assert known.score("w2 " * 665 + "nobad " + "w2 " * 5000) == 0.5
    assert known.score("x" * 100_000) == 0.5


def test_nothing_of_a_file_is_executed(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("executed",)

    (tmp_path / "model").write_bytes(pickle.dumps(Evil()))
    found = read_pickled(tmp_path / "model")
    assert isinstance(found, Pickled) and found.arguments == ("executed",)


@pytest.mark.parametrize("content", [b"", b"\x80\x05.", b"no pickle", pickle.dumps({"a": 1})[:-1]])
def test_a_file_of_another_form_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(ValueError, match="model"):
        read_pickled(tmp_path / "model")
