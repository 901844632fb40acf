"""Verdicts in OpenAI's categories, and the categories themselves."""

from __future__ import annotations

import dataclasses

import pytest
from openai.types import moderation as openai_moderation

from runtime.apis.safety.categories import OPENAI_CATEGORIES
from runtime.errors import RequestError
from runtime.providers.safety._llama_guard.categories import Category, own_categories
from runtime.providers.safety._llama_guard.conversation import Turn
from runtime.providers.safety._llama_guard.moderation import Moderation, moderation
from runtime.providers.safety._llama_guard.prompt import Task, task
from runtime.providers.safety._llama_guard.verdict import verdict
from runtime.providers.safety._llama_guard.versions import VERSION_NAMES, VERSIONS, version_named

TEXT = Turn(speaker="User", text="Hello.")
WITH_IMAGE = Turn(speaker="User", text="Hello.", images=("data:image/png;base64,AA",))


def asked(name: str, turn: Turn = TEXT, excluded: tuple[str, ...] = ()) -> Task:
    return task(version_named(name), [turn], excluded=excluded)


def moderated(answer: str, about: Task) -> Moderation:
    return moderation(verdict(answer, about, provider_id="guard"), about)


def flagged(found: Moderation) -> set[str]:
    return {name for name, is_flagged in found.categories.items() if is_flagged}


@pytest.mark.parametrize("name", VERSION_NAMES)
@pytest.mark.parametrize("answer", ["safe", "unsafe"])
def test_openai_s_categories_are_always_all_there(name: str, answer: str) -> None:
    about = asked(name)
    found = moderated(answer, about)
    expected = [*OPENAI_CATEGORIES, *(category.name for category in about.categories)]
    for mapping in (found.categories, found.scores, found.applied_input_types):
        assert [*mapping] == expected
    assert found.flagged == (answer == "unsafe")
    assert flagged(found) == set() and set(found.scores.values()) == {0.0}


def test_the_categories_are_those_of_openai_s_client() -> None:
    for model in ("Categories", "CategoryScores", "CategoryAppliedInputTypes"):
        fields = getattr(openai_moderation, model).model_fields
        assert {field.alias or name for name, field in fields.items()} == {*OPENAI_CATEGORIES}


def test_a_result_is_one_for_openai_s_client() -> None:
    """Also its types of input, which that checks when asked to."""
    for turn in (TEXT, WITH_IMAGE):
        found = moderated("unsafe\nS10,S12", asked("4", turn))
        parsed = openai_moderation.Moderation.model_validate(
            {
                "flagged": found.flagged,
                "categories": found.categories,
                "category_scores": found.scores,
                "category_applied_input_types": found.applied_input_types,
            }
        )
        assert (parsed.categories.hate, parsed.categories.sexual, parsed.categories.violence) == (True, True, False)


@pytest.mark.parametrize(
    ("name", "answer", "names"),
    [
        ("1", "unsafe\nO1", {"violence", "hate", "Violence and Hate"}),
        ("1", "unsafe\nO4", {"illicit", "illicit/violent", "Guns and Illegal Weapons"}),
        ("2", "unsafe\nS5", {"Specialized Advice"}),
        ("2", "unsafe\nS10", {"self-harm", "self-harm/instructions", "Self-Harm"}),
        ("3-8b", "unsafe\nS1", {"violence", "illicit", "illicit/violent", "Violent Crimes"}),
        ("3-8b", "unsafe\nS4,S10", {"sexual", "sexual/minors", "Child Exploitation", "hate", "Hate"}),
        ("3-8b", "unsafe\nS7", {"Privacy"}),
        ("4", "unsafe\nS2,S14", {"illicit", "Non-Violent Crimes", "Code Interpreter Abuse"}),
    ],
)
def test_codes_are_told_in_both(name: str, answer: str, names: set[str]) -> None:
    found = moderated(answer, asked(name))
    assert flagged(found) == names
    assert {name for name, score in found.scores.items() if score} == names


def test_scores_are_the_verdict_s() -> None:
    about = asked("3-8b")
    unsure = dataclasses.replace(verdict("unsafe\nS2", about, provider_id="guard"), score=0.6)
    scores = moderation(unsure, about).scores
    assert (scores["illicit"], scores["Non-Violent Crimes"], scores["violence"]) == (0.6, 0.6, 0.0)


def test_input_types_are_those_that_were_judged_and_can_be_told() -> None:
    applied = moderated("safe", asked("4", WITH_IMAGE)).applied_input_types
    assert applied["violence"] == applied["Violent Crimes"] == ["text", "image"]
    assert applied["hate"] == ["text"]  # OpenAI's schema has no images there
    assert applied["Hate"] == ["text", "image"]
    assert applied["harassment"] == applied["violence/graphic"] == []
    assert moderated("safe", asked("4")).applied_input_types["violence"] == ["text"]
    only_image = Turn(speaker="User", images=WITH_IMAGE.images)
    assert moderated("safe", asked("4", only_image)).applied_input_types["violence"] == ["image"]


def test_an_image_of_an_earlier_turn_is_not_judged() -> None:
    about = task(version_named("4"), [WITH_IMAGE, Turn(speaker="Agent", text="Hi.")])
    assert moderated("safe", about).applied_input_types["Violent Crimes"] == ["text"]


def test_what_is_excluded_is_not_told() -> None:
    found = moderated("unsafe\nS6,S11", asked("3-8b", excluded=("S6", "S10")))
    assert "Specialized Advice" not in found.categories and "Hate" not in found.categories
    assert found.applied_input_types["hate"] == []
    assert flagged(found) == {"self-harm", "self-harm/instructions", "Self-Harm"}


def test_every_category_counts_as_categories_that_openai_has() -> None:
    for version in VERSIONS:
        assert own_categories(version.categories) == version.categories


# Categories of one's own


@pytest.mark.parametrize(
    ("categories", "words"),
    [
        ([], "There are 0 categories"),
        ([Category(code=f"S{number}", name=f"Number {number}") for number in range(65)], "There are 65 categories"),
        ([Category(code="s1", name="Small")], "The code `s1`"),
        ([Category(code="S 1", name="Blank")], "The code `S 1`"),
        ([Category(code="S1", name=" . ")], "name of category `S1`"),
        ([Category(code="S1", name="Two\nlines")], "name of category `S1`"),
        ([Category(code="S1", name="hate")], "that of one of OpenAI's, `hate`"),
        ([Category(code="S1", name="Keys", openai=("locks",))], "counts as `locks`"),
        ([Category(code="S1", name="Keys"), Category(code="S1", name="Locks")], "`S1`, `Locks`"),
        ([Category(code="S1", name="Keys"), Category(code="S2", name="Keys.")], "`S2`, `Keys`"),
    ],
)
def test_categories_that_could_not_be_told_apart_are_refused(categories: list[Category], words: str) -> None:
    with pytest.raises(RequestError) as raised:
        own_categories(categories)
    assert words in raised.value.message


def test_categories_of_one_s_own_count_as_openai_s_where_they_say_so() -> None:
    own = own_categories([Category(code="X1", name="Bullying.", openai=("harassment",))])
    about = task(version_named("3-8b"), [TEXT], categories=own)
    found = moderated("unsafe\nX1", about)
    assert flagged(found) == {"harassment", "Bullying"}
    assert found.applied_input_types["harassment"] == ["text"]
