"""A verdict in the categories of OpenAI's moderation object, with those of Llama Guard beside them.

https://platform.openai.com/docs/api-reference/moderations/object: all 13 categories are always there. As in llama-stack
from 0.4 on, the version's own categories stand beside them by name (`Violent Crimes`), so that what has no counterpart
at OpenAI, such as `Privacy`, is told too. Which category counts as which of OpenAI's: `categories.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.apis.safety.categories import OPENAI_CATEGORIES, InputType
from runtime.providers.safety._llama_guard.prompt import Task
from runtime.providers.safety._llama_guard.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Moderation:
    """One result. Each mapping has OpenAI's 13 categories, then those that the model was asked about. scores: from 0
    to 1. applied_input_types: empty for a category that nothing the model was asked about can tell.
    """

    flagged: bool
    categories: dict[str, bool]
    scores: dict[str, float]
    applied_input_types: dict[str, list[InputType]]


def moderation(found: Verdict, asked: Task) -> Moderation:
    """The verdict on the judged message. A score is that of the verdict for what is flagged, else 0.0: the model gives
    one for the message, not for each category. Unsafe without a known code flags the result and no category.
    """
    seen: list[InputType] = []
    if asked.judged.text:
        seen.append("text")
    if asked.judged.images:
        seen.append("image")
    told = {name for category in asked.categories for name in category.openai}
    flagged = {name for category in asked.categories if category.code in found.codes for name in category.openai}
    applied: dict[str, list[InputType]] = {
        name: [kind for kind in seen if name in told and kind in types] for name, types in OPENAI_CATEGORIES.items()
    }
    categories = {name: name in flagged for name in OPENAI_CATEGORIES}
    for category in asked.categories:
        applied[category.name] = [*seen]
        categories[category.name] = category.code in found.codes
    return Moderation(
        flagged=not found.is_safe,
        categories=categories,
        scores={name: found.score if is_flagged else 0.0 for name, is_flagged in categories.items()},
        applied_input_types=applied,
    )
