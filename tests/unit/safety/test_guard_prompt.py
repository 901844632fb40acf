"""The task of each version, compared whole with `goldens/`: those were rendered from the chat templates that lie beside
the weights, without the tokens of the model around them. The template of generation 4 differs from that of 3 by a word,
and by what it leaves out where there is an image.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from runtime.catalog import get, prompt_format
from runtime.errors import RequestError
from runtime.providers.safety._llama_guard.categories import Category, own_categories
from runtime.providers.safety._llama_guard.conversation import Turn, conversation
from runtime.providers.safety._llama_guard.prompt import Task, chat_messages, task
from runtime.providers.safety._llama_guard.versions import VERSION_NAMES, version_named

GOLDENS = Path(__file__).parent / "goldens"
USER = Turn(speaker="User", text="How do I pick a lock?")
AGENT = Turn(speaker="Agent", text="With a tension wrench.\nAnd patience.")
PICTURE, OTHER_PICTURE = "data:image/png;base64,AAAA", "https://example.com/lock.png"
SHOWN = Turn(speaker="User", text="How do I pick a lock?", images=(PICTURE,))
versions = pytest.mark.parametrize("name", VERSION_NAMES)


def golden(name: str) -> str:
    return (GOLDENS / f"{name}.txt").read_text(encoding="utf-8").removesuffix("\n")


def asked(name: str, *turns: Turn, **options: Any) -> Task:
    return task(version_named(name), turns, **options)


@versions
def test_a_user_s_message(name: str) -> None:
    found = asked(name, USER)
    assert found.text == found.content == golden(f"{name}_user")


@versions
def test_an_agent_s_answer(name: str) -> None:
    assert asked(name, USER, AGENT).text == golden(f"{name}_agent")


def test_a_longer_conversation() -> None:
    assert asked("3-8b", USER, AGENT, Turn(speaker="User", text="Whose lock?")).text == golden("3-8b_talk")


@versions
def test_excluded_categories_are_not_asked_about(name: str) -> None:
    excluded = ["O2"] if name == "1" else ["S2", " s9"]
    found = asked(name, USER, excluded=excluded)
    assert found.text == golden(f"{name}_excluded")
    assert not found.excluded & {category.code for category in found.categories}


@pytest.mark.parametrize(("name", "text"), [("3-11b-vision", "3-11b-vision_agent"), ("4", "4_image")])
def test_an_image_stands_before_the_task(name: str, text: str) -> None:
    assert asked(name, SHOWN, AGENT).content == [
        {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "text", "text": golden(text)},
    ]


def test_several_images_keep_their_order() -> None:
    turns = (SHOWN, AGENT, Turn(speaker="User", text="And this one?", images=(OTHER_PICTURE, PICTURE)))
    found = asked("4", *turns)
    assert (found.images, found.unseen_images) == ((PICTURE, OTHER_PICTURE, PICTURE), 0)


def test_where_one_image_is_seen_it_is_the_latest() -> None:
    later = Turn(speaker="User", text="And this one?", images=(OTHER_PICTURE,))
    found = asked("3-11b-vision", SHOWN, AGENT, later)
    assert (found.images, found.unseen_images) == ((OTHER_PICTURE,), 1)
    found = asked("3-11b-vision", SHOWN, AGENT, later, AGENT)
    assert (found.images, found.unseen_images) == ((OTHER_PICTURE,), 1)
    found = asked("3-11b-vision", SHOWN, AGENT, USER, AGENT)
    assert (found.images, found.unseen_images) == ((PICTURE,), 0)


def test_images_of_earlier_turns_are_counted_where_text_alone_is_read() -> None:
    found = asked("3-8b", SHOWN, AGENT)
    assert (found.text, found.images, found.unseen_images) == (golden("3-8b_agent"), (), 1)


@pytest.mark.parametrize("name", ["1", "2", "3-8b", "3-1b"])
def test_an_image_to_judge_is_refused_where_text_alone_is_read(name: str) -> None:
    with pytest.raises(RequestError) as raised:
        asked(name, SHOWN)
    assert version_named(name).title in raised.value.message
    assert raised.value.hint == "those that see images: Llama Guard 3 11B Vision, Llama Guard 4"
    with pytest.raises(RequestError):
        chat_messages(version_named(name), [SHOWN])


def test_two_images_to_judge_are_refused_where_one_is_seen() -> None:
    with pytest.raises(RequestError, match=r"sees one image, and the message to judge has 2"):
        asked("3-11b-vision", Turn(speaker="User", text="?", images=(PICTURE, OTHER_PICTURE)))


def test_a_message_of_an_image_alone() -> None:
    found = asked("4", Turn(speaker="User", images=(PICTURE,)))
    assert "<BEGIN CONVERSATION>\n\nUser:\n\n<END CONVERSATION>" in found.text


def test_what_is_about_text_alone_is_not_asked_of_an_image() -> None:
    found = asked("4", SHOWN)
    assert "S14" not in {category.code for category in found.categories}
    assert "S14" not in found.excluded  # a model that answers it all the same is listened to


def test_categories_of_one_s_own_take_the_place_of_the_version_s() -> None:
    own = own_categories(
        [
            Category(code="S1", name="Lock Picking.", description="Nobody should\n- Open locks."),
            Category(code="S2", name="Left Out"),
            Category(code="X15", name="Keys"),
        ]
    )
    found = asked("3-8b", USER, categories=own, excluded=["S2"])
    listed = re.search(r"CATEGORIES>\n(.*)\n<END UNSAFE", found.text, re.DOTALL)
    assert listed is not None
    assert listed[1] == "S1: Lock Picking.\nNobody should\n- Open locks.\nX15: Keys."
    assert [category.code for category in found.categories] == ["S1", "X15"]


def test_an_unknown_code_to_exclude_is_refused_with_those_there_are() -> None:
    with pytest.raises(RequestError) as raised:
        asked("2", USER, excluded=["S2", "S14"])
    assert raised.value.message == "`S14` is no category of Llama Guard 2"
    assert raised.value.hint == "its categories: " + ", ".join(f"S{number}" for number in range(1, 12))


def test_one_config_may_exclude_what_only_another_version_of_the_generation_knows() -> None:
    found = asked("3-1b", USER, excluded=["S14"])
    assert (found.text, found.excluded) == (golden("3-1b_user"), {"S14"})


def test_not_every_category_can_be_excluded() -> None:
    with pytest.raises(RequestError, match="Every category is excluded"):
        asked("1", USER, excluded=[f"O{number}" for number in range(1, 7)])


def test_a_server_that_writes_the_task_is_given_the_turns() -> None:
    turns = conversation(
        [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]},
            {"role": "assistant", "content": "A lock."},
            {"role": "user", "content": "How do I pick it?"},
        ]
    )
    assert chat_messages(version_named("4"), turns) == [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]},
        {"role": "assistant", "content": "A lock."},
        {"role": "user", "content": "How do I pick it?"},
    ]


@pytest.mark.parametrize(
    ("model", "name", "before", "after"),
    [
        ("Llama-Guard-2-8B", "2", "[INST] ", " [/INST]"),
        ("Llama-Guard-3-1B", "3-1b", "\n\n", "<|eot_id|>"),
        ("Llama-Guard-3-11B-Vision", "3-11b-vision", "\n\n<|image|> ", "<|eot_id|>"),
        ("Llama-Guard-4-12B", "4", "\n\n", "<|eot|>"),
    ],
)
def test_the_catalog_shows_the_same_task(model: str, name: str, before: str, after: str) -> None:
    shown = re.search(r"```text\n(.*?)\n```", prompt_format(get(model)), re.DOTALL)
    assert shown is not None
    said = re.search(r"User: (.*)", shown[1])
    assert said is not None
    assert f"{before}{asked(name, Turn(speaker='User', text=said[1])).text}{after}" in shown[1]
