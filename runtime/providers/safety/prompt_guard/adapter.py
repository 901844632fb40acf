"""The shields of Prompt Guard."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from runtime.apis._request import Registered
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.catalog.weights import find_model
from runtime.errors import RequestError, Unavailable
from runtime.parsing.settings import checked_settings
from runtime.provider import ProviderContext
from runtime.providers.safety._last_message import text_to_judge, told
from runtime.providers.safety.prompt_guard.classifier import Classifier
from runtime.providers.safety.prompt_guard.config import FOLDER, PromptGuardConfig, PromptGuardParams
from runtime.to_the_end import to_the_end
from runtime.turns import Turns

_REFUSAL = "Sorry, I cannot do this."


class PromptGuardSafety:
    """Flags a message that tries to take the model over. A text is as bad as its worst window of 512 tokens.

    Raises RequestError for parts that are not text and for wrong `params`, Unavailable where the weights are not there
    or cannot be used.
    """

    def __init__(self, config: PromptGuardConfig, context: ProviderContext) -> None:
        self._config = config
        self._models_dir = context.models_dir
        self._loaded: dict[str, Classifier] = {}
        self._turns = Turns()
        self.load_timeout_s = config.load_timeout_s

    async def start(self) -> None:
        if self._config.model is not None:
            await self._classifier(self._config.model)

    async def check_registration(self, resource: Registered) -> None:
        checked_settings(resource.facts.get("params") or {}, PromptGuardParams)
        try:
            if self._config.model is None:
                self._find(resource.provider_resource_id)
        except Unavailable as error:
            raise RequestError(error.message, hint=error.hint, param="provider_shield_id") from error

    async def assess(self, request: AssessRequest) -> Assessment:
        params = told(request, PromptGuardParams)
        guard_type = params.guard_type or self._config.guard_type
        text = text_to_judge(request)
        if not text.strip():
            return Assessment(flagged=False)
        name = self._config.model or request.shield_id
        classifier = await self._classifier(name)
        stop = threading.Event()
        try:
            async with self._turns.of(name):
                windows = await asyncio.to_thread(classifier.probabilities, text, stop)
        finally:
            stop.set()
        labels = classifier.labels
        worst = max(windows, key=lambda window: labels.score(window, guard_type))
        score = labels.score(worst, guard_type)
        flagged = score >= (params.threshold or self._config.threshold)
        return Assessment(
            flagged=flagged,
            user_message=_REFUSAL if flagged else None,
            categories={guard_type: flagged},
            category_scores={guard_type: score},
            category_applied_input_types={guard_type: ["text"]},
            metadata={
                **({"violation_type": f"prompt_{guard_type}"} if flagged else {}),
                "labels": labels.shown(worst),
                "windows": len(windows),
            },
        )

    async def _classifier(self, name: str) -> Classifier:
        """A model, which is loaded by whoever asks for it first. Raises Unavailable."""
        async with self._turns.of(name):
            if name not in self._loaded:
                loading = asyncio.to_thread(Classifier.load, name, self._find(name), self._config.device)
                self._loaded[name] = await to_the_end(loading)
            return self._loaded[name]

    def _find(self, name: str) -> Path:
        """A model by name. Only the run config may name a path: whoever registers a shield may not. Raises
        Unavailable.
        """
        may_be_path = name == self._config.model
        return find_model(name, {}, what=FOLDER, models_dir=self._models_dir, may_be_path=may_be_path)[1]
