"""Makes both doors of `safety` of the one operation that its providers have: `assess`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.apis.safety.categories import OPENAI_CATEGORIES
from runtime.apis.safety.moderations import Moderation, ModerationRequest, ModerationResult
from runtime.apis.safety.shielding import RunShieldRequest, RunShieldResponse, SafetyViolation
from runtime.concurrently import concurrently
from runtime.config.safety import SafetyConfig
from runtime.errors import RequestError, StackError
from runtime.ids import new_id
from runtime.routing.forward import Router, Routing
from runtime.routing.guarded.judging import judging
from runtime.routing.guarded.violations import what_it_is
from runtime.telemetry.changes import note_choice

_SHIELD = "shield_id"
_AT_ONCE = 8
"""How many inputs of one request are looked at at a time."""
_FIELDS = {_SHIELD: "model", "messages": "input"}
"""Fields of `assess`, as a moderation calls them."""


class SafetyRouter(Router):
    """The routed shields."""

    def __init__(self, routing: Routing) -> None:
        super().__init__(routing)
        self._settings = routing.settings if isinstance(routing.settings, SafetyConfig) else SafetyConfig()

    async def assess(self, request: AssessRequest) -> Assessment:
        """Raises as a provider's `assess` does, and NotFound for the shield."""
        shield = await self._owned(request.shield_id, _SHIELD)
        assess = self._method_of(shield, "assess", request.shield_id)
        with judging():
            found: Assessment = await assess(request.routed_by(shield, _SHIELD))
        return found

    async def run_shield(self, request: RunShieldRequest) -> RunShieldResponse:
        """Raises as `assess` does."""
        found = await self.assess(request)
        if not found.flagged:
            return RunShieldResponse(violation=None)
        level, message, what = found.violation_level, found.user_message, what_it_is(found)
        return RunShieldResponse(violation=SafetyViolation(violation_level=level, user_message=message, metadata=what))

    async def moderate(self, request: ModerationRequest) -> Moderation:
        """Raises as `assess` does."""
        shield_id = request.model or self._usual()

        async def result(content: Any) -> ModerationResult:
            if isinstance(content, str) and not content.strip():
                return _result(Assessment(flagged=False))  # there is nothing to look at
            messages = [{"role": "user", "content": content}]
            return _result(await self.assess(AssessRequest(shield_id=shield_id, messages=messages)))

        try:
            await self._owned(shield_id, _SHIELD)
            results = await concurrently(result, _inputs(request), at_once=_AT_ONCE)
        except StackError as error:
            raise error.saying(error.message, param=_FIELDS.get(error.param or "", error.param)) from None
        return Moderation(id=new_id("modr-"), model=shield_id, results=results)

    def _usual(self) -> str:
        """The shield that is meant where none is named. Raises RequestError where none is."""
        if (usual := self._settings.default_shield_id) is not None:
            if len(self._owners.seen()) > 1:
                note_choice(f"shield `{usual}`: the usual one of this server, since none was named")
            return usual
        names = [shield.id for shield in self._owners.seen()]
        if len(names) == 1:
            return names[0]
        raise RequestError(
            "The request names no `model`, and this server has no shield that is meant then",
            hint=f"name one of {', '.join(f'`{name}`' for name in names[:_AT_ONCE])}, or set `safety.default_shield_id`"
            " in the run config"
            if names
            else "register a shield first: POST /v1/shields",
            param="model",
        )


def _inputs(request: ModerationRequest) -> Iterator[Any]:
    """The content of each: a text, or parts."""
    if isinstance(request.input, str) or (request.input and isinstance(request.input[0], dict)):
        yield request.input
    else:
        yield from request.input


def _result(found: Assessment) -> ModerationResult:
    """With all of OpenAI's categories, whichever the shield can tell."""
    return ModerationResult(
        flagged=found.flagged,
        categories={**dict.fromkeys(OPENAI_CATEGORIES, False), **found.categories},
        category_scores={**dict.fromkeys(OPENAI_CATEGORIES, 0.0), **found.category_scores},
        category_applied_input_types={
            **{name: [] for name in OPENAI_CATEGORIES},
            **found.category_applied_input_types,
        },
        user_message=found.user_message,
        metadata=dict(found.metadata),
    )


ROUTER = SafetyRouter
