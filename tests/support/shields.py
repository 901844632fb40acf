"""A provider of shields that exists only in tests: what it flags is a word, so that a test decides what is harmful."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.provider import ProviderContext
from runtime.spec import Spec, inline
from tests.support.mounting import add


class WordsConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Words:
    """Flags a message with one of the shield's words: its provider's own name, or `params: {words: [...]}`.

    asked: every request, in order. before_answer: awaited first in each.
    """

    latest: Words

    def __init__(self, config: WordsConfig, context: ProviderContext) -> None:
        self.asked: list[AssessRequest] = []
        self.before_answer: Callable[[AssessRequest], Awaitable[None]] = _at_once
        type(self).latest = self

    async def assess(self, request: AssessRequest) -> Assessment:
        self.asked.append(request)
        await self.before_answer(request)
        words = request.told().get("words") or [request.shield_id]
        text = text_of(request.messages[-1])
        found = [word for word in words if word in text]
        return Assessment(
            flagged=bool(found),
            user_message="I cannot talk about that." if found else None,
            categories={"violence": bool(found)},
            category_scores={"violence": 0.9 if found else 0.1},
            category_applied_input_types={"violence": ["text"]},
            metadata={"violation_type": found[0]} if found else {},
        )


def text_of(message: Any) -> str:
    """The text of a message, of all its parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


async def _at_once(_: AssessRequest) -> None:
    return None


def words_spec(**facts: Any) -> Spec:
    spec = inline(
        "words", summary="Words, for tests", adapter="tests.support.shields:Words",
        config="tests.support.shields:WordsConfig", **facts,
    )  # fmt: skip
    return spec.found_in("safety", __name__)


def with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plans have it. Before the run config is made."""
    add(monkeypatch, [], [words_spec()])


WORDS = {"provider_id": "words", "provider_type": "inline::words"}


def shields(**words: str) -> dict[str, Any]:
    """Registered resources: shields by id, each with the word that it flags."""
    return {"shields": [{"shield_id": name, "provider_shield_id": word} for name, word in words.items()]}
