"""What every provider of shields promises (`runtime/apis/safety`), asked at both of the server's doors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.apis.safety.categories import OPENAI_CATEGORIES
from runtime.conformance.abilities import needs
from runtime.conformance.asgi import Answered
from runtime.conformance.safety.subject import Subject

pytestmark = pytest.mark.asyncio

AT_ONCE = 8
LONG = 20_000
"""Characters of a text that is longer than small classifiers read at a time."""
CANNOT_LOOK = (400, 413)
"""Status of an answer to what a shield cannot look at."""
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
Json = dict[str, Any]


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def image(address: str) -> Json:
    return {"type": "image_url", "image_url": {"url": address}}


async def run(subject: Subject, *messages: Json) -> Answered:
    body = {"shield_id": subject.shield, "messages": list(messages), "params": {}}
    return await subject.client.post("/v1/safety/run-shield", body)


async def violation(subject: Subject, *messages: Json) -> Json | None:
    answer = await run(subject, *messages)
    assert answer.status == 200, answer.body
    found: Json | None = answer.json()["violation"]
    return found


async def moderate(subject: Subject, content: Any) -> list[Json]:
    answer = await subject.client.post("/v1/moderations", {"model": subject.shield, "input": content})
    assert answer.status == 200, answer.body
    results: list[Json] = answer.json()["results"]
    return results


async def test_what_is_harmful_is_told_at_both_doors(subject: Subject) -> None:
    found = await violation(subject, user(subject.harmful))
    assert found is not None and found["violation_level"] in ("info", "warn", "error")
    assert isinstance(found["metadata"], dict) and found["user_message"] != ""
    [result] = await moderate(subject, subject.harmful)
    assert result["flagged"] is True and result["user_message"] == found["user_message"]


async def test_what_is_harmless_passes_both_doors(subject: Subject) -> None:
    assert await violation(subject, user(subject.harmless)) is None
    [result] = await moderate(subject, subject.harmless)
    assert result["flagged"] is False and result["user_message"] is None
    assert not any(result["categories"].values())


async def test_a_result_has_all_categories_of_openai_and_its_own(subject: Subject) -> None:
    for words in (subject.harmful, subject.harmless):
        [result] = await moderate(subject, words)
        maps = [result[name] for name in ("categories", "category_scores", "category_applied_input_types")]
        for found in maps:
            assert set(OPENAI_CATEGORIES) <= set(found)
        assert all(isinstance(flagged, bool) for flagged in result["categories"].values())
        assert all(0 <= score <= 1 for score in result["category_scores"].values())
        assert all({*kinds} <= {"text", "image"} for kinds in result["category_applied_input_types"].values())


async def test_each_text_has_its_own_result(subject: Subject) -> None:
    results = await moderate(subject, [subject.harmless, subject.harmful, "", subject.harmless])
    assert [result["flagged"] for result in results] == [False, True, False, False]


async def test_the_last_message_is_judged_whoever_says_it(subject: Subject) -> None:
    answered = {"role": "assistant", "content": subject.harmless}
    assert await violation(subject, user(subject.harmful), answered, user(subject.harmless)) is None
    assert await violation(subject, user(subject.harmless), answered, user(subject.harmful)) is not None
    assert await violation(subject, user(subject.harmless), {**answered, "content": subject.harmful}) is not None


async def test_all_parts_of_a_message_are_read(subject: Subject) -> None:
    for parts in ([text(subject.harmless), text(subject.harmful)], [text(subject.harmful), text(subject.harmless)]):
        assert await violation(subject, user(parts)) is not None
        [result] = await moderate(subject, parts)
        assert result["flagged"] is True


async def test_a_message_that_says_nothing_is_harmless(subject: Subject) -> None:
    for content in ("", " \n", [], [text("")], None):
        assert await violation(subject, user(subject.harmful), user(content)) is None


async def test_what_it_cannot_look_at_is_refused_by_name(subject: Subject) -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    for part in (audio, {"type": "file", "file": {"file_id": "file-1"}}, {"type": "hologram"}):
        answer = await run(subject, user([text(subject.harmless), part]))
        assert answer.status in CANNOT_LOOK, answer.body
        assert f"`{part['type']}`" in answer.error["message"]


async def test_an_image_is_looked_at_or_refused(subject: Subject) -> None:
    answer = await run(subject, user([text(subject.harmless), image(subject.harmless_image or PIXEL)]))
    if subject.harmless_image:
        assert (answer.status, answer.json()) == (200, {"violation": None})
    else:
        assert answer.status in CANNOT_LOOK, answer.body
        assert "image" in answer.error["message"]


@needs("images")
async def test_a_harmful_image_is_told_with_and_without_text(subject: Subject) -> None:
    for parts in ([image(subject.harmful_image)], [text(subject.harmless), image(subject.harmful_image)]):
        assert await violation(subject, user(parts)) is not None
        [result] = await moderate(subject, parts)
        assert result["flagged"] is True
        flagged = [name for name, is_flagged in result["categories"].items() if is_flagged]
        assert all("image" in result["category_applied_input_types"][name] for name in flagged)


async def test_the_end_of_a_long_text_is_read_or_the_text_is_refused(subject: Subject) -> None:
    """What is cut off would pass unseen."""
    answer = await run(subject, user(f"{_filler(subject)} {subject.harmful}."))
    if answer.status == 200:
        assert answer.json()["violation"] is not None
    else:
        assert answer.status in CANNOT_LOOK, answer.body


@needs("long_texts")
async def test_a_long_text_is_read(subject: Subject) -> None:
    assert await violation(subject, user(_filler(subject))) is None
    assert await violation(subject, user(f"{_filler(subject)} {subject.harmful}.")) is not None


async def test_calls_at_once_are_each_answered(subject: Subject) -> None:
    asked = [subject.harmful if place % 2 else subject.harmless for place in range(AT_ONCE)]
    found = await asyncio.gather(*(violation(subject, user(words)) for words in asked))
    assert [one is not None for one in found] == [words == subject.harmful for words in asked]


async def test_its_shields_and_its_health_are_told_without_its_key(subject: Subject) -> None:
    shields = await subject.client.get("/v1/shields")
    [shield] = [one for one in shields.json()["data"] if one["identifier"] == subject.shield]
    providers = await subject.client.get("/v1/providers")
    [provider] = [
        one for one in providers.json()["data"] if (one["api"], one["provider_id"]) == ("safety", shield["provider_id"])
    ]
    assert provider["health"]["status"] != "Error", provider["health"]
    if subject.secret:
        assert subject.secret.encode() not in shields.body + providers.body


@needs("fails")
async def test_nothing_passes_while_what_it_calls_fails(subject: Subject) -> None:
    assert subject.fail is not None
    subject.fail()
    body = {"model": subject.shield, "input": [subject.harmless]}
    for answer in (
        await run(subject, user(subject.harmless)),
        await subject.client.post("/v1/moderations", body),
    ):
        assert answer.status in (429, 502, 503, 504), answer.body
        if subject.secret:
            assert subject.secret.encode() not in answer.body


def _filler(subject: Subject) -> str:
    """Harmless sentences."""
    return f"{subject.harmless}. " * (LONG // len(subject.harmless))
