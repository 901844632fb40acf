"""OpenAI's moderations at wire level, judged by words and by an image: those of `guard_model`.

https://platform.openai.com/docs/api-reference/moderations/create (read November 2026).
"""

from __future__ import annotations

from typing import Any

from runtime.apis.safety.categories import OPENAI_CATEGORIES
from runtime.conformance.upstream import OPENAI, Answer, Habits, Refused, Upstream
from tests.support.guard_model import HARMFUL_IMAGE

MODEL = "omni-moderation-latest"
_FIELDS = {"input", "model"}


class Moderations(Upstream):
    """more_fields: that it takes beside OpenAI's."""

    def __init__(self, habits: Habits = OPENAI) -> None:
        super().__init__(habits)
        self.models = [MODEL]
        self.more_fields: set[str] = set()

    def endpoints(self) -> Any:
        return {"/moderations": self.moderate}

    def moderate(self, body: dict[str, Any], habits: Habits) -> Answer:
        if unknown := sorted(body.keys() - _FIELDS - self.more_fields):
            raise Refused(400, f"Unrecognized request argument supplied: {unknown[0]}", param=unknown[0])
        given = body["input"]
        is_list_of_texts = isinstance(given, list) and isinstance(given[0], str)
        inputs = given if is_list_of_texts else [given]
        return Answer(whole={"id": "modr-1", "model": body["model"], "results": [_result(one) for one in inputs]})


def _result(given: Any) -> dict[str, Any]:
    parts = [{"type": "text", "text": given}] if isinstance(given, str) else given
    words, seen = "", []
    for part in parts:
        if part.keys() != {"type", part["type"]} or part["type"] not in ("text", "image_url"):
            raise Refused(400, f"Invalid part: {part['type']}", param="input")
        seen.append("image" if part["type"] == "image_url" else "text")
        words += part["text"] if part["type"] == "text" else part["image_url"]["url"]
    flagged = {"violence": "bomb" in words, "sexual": HARMFUL_IMAGE in words}
    return {
        "flagged": any(flagged.values()),
        "categories": {name: flagged.get(name, False) for name in OPENAI_CATEGORIES},
        "category_scores": {name: 0.9 if flagged.get(name) else 0.01 for name in OPENAI_CATEGORIES},
        "category_applied_input_types": {
            name: [kind for kind in dict.fromkeys(seen) if kind in types] for name, types in OPENAI_CATEGORIES.items()
        },
    }
