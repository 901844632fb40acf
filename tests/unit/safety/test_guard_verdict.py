"""Answers of Llama Guard, and what they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import UpstreamError
from runtime.providers.safety._llama_guard.conversation import Turn
from runtime.providers.safety._llama_guard.prompt import Task, task
from runtime.providers.safety._llama_guard.verdict import Token, Verdict, unsafe_probability, verdict
from runtime.providers.safety._llama_guard.versions import version_named

SAFE = Verdict(is_safe=True, score=0.0)


def asked(name: str = "3-8b", *, excluded: tuple[str, ...] = ()) -> Task:
    return task(version_named(name), [Turn(speaker="User", text="Hello.")], excluded=excluded)


def read(answer: str, *, excluded: tuple[str, ...] = (), name: str = "3-8b") -> Verdict:
    return verdict(answer, asked(name, excluded=excluded), provider_id="guard")


def unsafe(*codes: str, unknown: tuple[str, ...] = ()) -> Verdict:
    return Verdict(is_safe=False, codes=codes, unknown=unknown, score=1.0)


@pytest.mark.parametrize("answer", ["safe", "\n\nsafe", " Safe \n", "safe<|eot_id|>", "safe<|eot|>\n", "safe</s>"])
def test_safe(answer: str) -> None:
    assert read(answer) == SAFE


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        ("unsafe\nS1", ["S1"]),
        ("\n\nunsafe\nS1,S10", ["S1", "S10"]),
        ("unsafe\n S1 , s2;S3\n", ["S1", "S2", "S3"]),
        ("unsafe\nS2\nS1\n\nS2", ["S2", "S1"]),
        ("Unsafe\r\nS14<|eot_id|>", ["S14"]),
        ("unsafe S9", ["S9"]),
        ("unsafe: S9.", ["S9"]),
        ("unsafe\nS1: Violent Crimes.", ["S1"]),
        ("unsafe\nS1 S3", ["S1", "S3"]),
    ],
)
def test_unsafe_with_its_codes(answer: str, codes: list[str]) -> None:
    assert read(answer) == unsafe(*codes)


@pytest.mark.parametrize(
    ("answer", "codes", "unknown"),
    [
        ("unsafe", [], ()),
        ("unsafe\n\n", [], ()),
        ("unsafe\nS15", [], ("S15",)),
        ("unsafe\nS1,O3", ["S1"], ("O3",)),
        ("unsafe\nviolence", [], ("violence",)),
        ("unsafe\nsafe", [], ("safe",)),
    ],
)
def test_unsafe_stays_unsafe_whatever_follows(answer: str, codes: list[str], unknown: tuple[str, ...]) -> None:
    assert read(answer) == unsafe(*codes, unknown=unknown)


def test_a_code_that_this_version_is_not_asked_about_is_unknown() -> None:
    assert read("unsafe\nS14", name="3-1b") == unsafe(unknown=("S14",))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\n",
        "<|eot_id|>",
        "safe\nS1",
        "safe unsafe",
        "safe.",
        "unsafely",
        "It is safe",
        "S1",
        "I can't help with that.",
    ],
)
def test_what_is_neither_is_an_error_and_not_safe(answer: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        read(answer)
    assert raised.value.provider_id == "guard"
    assert raised.value.message == "The answer of the model is neither `safe` nor `unsafe`"  # without what it says


def test_what_was_excluded_is_safe() -> None:
    assert read("unsafe\nS6", excluded=("S6", "S7")) == SAFE
    assert read("unsafe\nS7,S6", excluded=("S6", "S7")) == SAFE
    assert read("unsafe\nS6,S1", excluded=("S6", "S7")) == unsafe("S1")
    assert read("unsafe\nS6,S15", excluded=("S6", "S7")) == unsafe(unknown=("S15",))
    assert read("unsafe\nS6\nadvice", excluded=("S6", "S7")) == unsafe(unknown=("advice",))
    assert read("unsafe", excluded=("S6", "S7")) == unsafe()


@given(st.text(st.sampled_from("unsafe safeSO1 3,\n.<|>")))
def test_only_the_word_alone_is_safe(answer: str) -> None:
    try:
        found = read(answer)
    except UpstreamError:
        return
    assert found.is_safe == (answer.strip().lower() == "safe")


@given(st.lists(st.integers(1, 20), min_size=1), st.sampled_from([",", ", ", "\n", " ", ";", "\n\n"]))
def test_every_code_is_told_once(numbers: list[int], between: str) -> None:
    found = read("unsafe\n" + between.join(f"S{number}" for number in numbers))
    assert sorted((*found.codes, *found.unknown)) == sorted({f"S{number}" for number in numbers})
    assert not {*found.codes} & {*found.unknown}


# Scores


@dataclass
class Piece:
    """A token with the probabilities of others in its place."""

    token: str
    logprob: float
    top_logprobs: list[Piece] = field(default_factory=list)


def piece(**probabilities: float) -> Piece:
    """The likeliest token of a place, and all of it."""
    top = [Piece(token, math.log(value)) for token, value in probabilities.items()]
    likeliest = max(top, key=lambda one: one.logprob)
    return Piece(likeliest.token, likeliest.logprob, top)


BLANK = Piece("\n\n", 0.0, [Piece("\n\n", 0.0)])


@pytest.mark.parametrize(
    ("tokens", "score"),
    [
        ([piece(safe=0.75, unsafe=0.25)], 0.25),
        ([BLANK, piece(safe=0.2, unsafe=0.6, other=0.2)], 0.75),
        ([Piece("<|start_header_id|>", 0.0), piece(safe=0.5, unsafe=0.5)], 0.5),
        ([piece(**{"\u2581un": 0.9, "\u2581safe": 0.1})], 0.9),  # a vocabulary without a token `unsafe`
        ([piece(**{"safe": 0.3, " Safe": 0.3, "unsafe": 0.4})], 0.4),
        ([Piece("safe", math.log(0.9))], 0.1),
        ([Piece("unsafe", math.log(0.9))], 0.9),
        ([Piece("safe", 0.0, [Piece("safe", 0.0), Piece("unsafe", -9999.0)])], 0.0),
        ([Piece("unsafe", 0.0, [Piece("safe", -math.inf)])], 1.0),
        ([Piece("unsafe", 0.1)], 1.0),  # rounded by the server
    ],
)
def test_the_score_is_the_first_token_s_probability(tokens: list[Token], score: float) -> None:
    assert unsafe_probability(tokens) == pytest.approx(score)


@pytest.mark.parametrize("tokens", [[], [BLANK], [piece(I=0.9, The=0.1)], [Piece("safe", math.nan)]])
def test_tokens_that_tell_nothing_give_no_score(tokens: list[Token]) -> None:
    assert unsafe_probability(tokens) is None
    assert verdict("safe", asked(), provider_id="guard", tokens=tokens).score == 0.0
    assert verdict("unsafe\nS1", asked(), provider_id="guard", tokens=tokens).score == 1.0


def test_a_verdict_has_the_score() -> None:
    tokens = [piece(safe=0.75, unsafe=0.25)]
    assert verdict("safe", asked(), provider_id="guard", tokens=tokens).score == pytest.approx(0.25)


@given(st.lists(st.tuples(st.sampled_from(["safe", "unsafe", "un", " Safe", "I", "\n"]), st.floats())))
def test_a_score_is_a_probability(likely: list[tuple[str, float]]) -> None:
    top = [Piece(token, logprob) for token, logprob in likely]
    score = unsafe_probability([Piece("safe", -1.0, top)])
    assert score is None or 0.0 <= score <= 1.0
