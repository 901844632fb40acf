"""The profanity shield."""

from __future__ import annotations

import asyncio

from runtime.apis._request import Registered
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.catalog.weights import Shipped
from runtime.parsing.settings import checked_settings
from runtime.provider import ProviderContext
from runtime.providers.safety._last_message import text_to_judge, told
from runtime.providers.safety.profanity_check.classifier import Classifier
from runtime.providers.safety.profanity_check.config import ProfanityCheckConfig, ProfanityParams

_WEIGHTS = Shipped("profanity_check", "data")
_CATEGORY = "harassment"
"""OpenAI's nearest: the model was taught with comments that insult, threaten or swear, and does not tell which."""
_AT_ONCE_CHARS = 4_000
"""So much text takes less than a millisecond; what is longer is looked at in a thread."""


class ProfanityCheckSafety:
    """Flags text that is abusive or profane, in English. It knows single words and nothing of what they say together:
    a polite request for something harmful is not found, and a quoted insult is.

    Raises RequestError for parts that are not text and for wrong `params`.
    """

    load_timeout_s = 10.0

    def __init__(self, config: ProfanityCheckConfig, context: ProviderContext) -> None:
        self._threshold = config.threshold
        self._classifier: Classifier | None = None

    async def start(self) -> None:
        self._classifier = await asyncio.to_thread(Classifier.read, _WEIGHTS.find("profanity"))

    async def check_registration(self, resource: Registered) -> None:
        checked_settings(resource.facts.get("params") or {}, ProfanityParams)

    async def assess(self, request: AssessRequest) -> Assessment:
        threshold = told(request, ProfanityParams).threshold or self._threshold
        text = text_to_judge(request)
        assert self._classifier is not None, "requests come once it has started"
        if len(text) <= _AT_ONCE_CHARS:
            score = self._classifier.score(text)
        else:
            score = await asyncio.to_thread(self._classifier.score, text)
        flagged = score >= threshold
        return Assessment(
            flagged=flagged,
            user_message="This reads as abusive or profane." if flagged else None,
            categories={_CATEGORY: flagged},
            category_scores={_CATEGORY: score},
            category_applied_input_types={_CATEGORY: ["text"]},
            metadata={"violation_type": "profanity"} if flagged else {},
        )
