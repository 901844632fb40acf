"""Which shields a request goes through, and taking it through them, on its way to a model and back.

What is asked is judged while the model already begins, unless the run config says otherwise: nothing of its answer is
read before that has passed, and if it has not, the model's work ends. A shield that fails refuses the request or lets
it pass, as the run config says, and either is told.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis.inference.guardrails import ByWay
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.clock import wall_time
from runtime.concurrently import concurrently
from runtime.config.safety import GuardrailsConfig, SafetyConfig
from runtime.context import warn
from runtime.errors import NotFound, RequestError, StackError, Unavailable
from runtime.ids import new_id
from runtime.routing.guarded.forms import Conversation, Form
from runtime.routing.guarded.judging import is_judging
from runtime.routing.guarded.stream import GuardedStream, Judge, refusal_stream
from runtime.routing.guarded.texts import Texts, joined
from runtime.routing.guarded.violations import Violation, violation_of
from runtime.sse import EventStream, Json, Reply
from runtime.to_the_end import to_the_end

log = logging.getLogger(__name__)
Ask = Callable[[Any], Awaitable[Reply | EventStream]]
"""Asks the model."""
_FIELD = "guardrails"
_OF_AN_ANSWER = frozenset({"id", "object", "created", "model", "usage", "service_tier", "system_fingerprint"})
_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Shields:
    """The ids of those for what is asked, and of those for what is answered."""

    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()

    def __or__(self, more: Shields) -> Shields:
        return Shields(input=_once(self.input, more.input), output=_once(self.output, more.output))


class Guards:
    """Of all requests. find_api: gives the routed API `safety`, None where there is none."""

    def __init__(self, find_api: Callable[[str], Any], settings: SafetyConfig | None) -> None:
        self._find_api = find_api
        self._settings = settings.guardrails if settings is not None else GuardrailsConfig()
        self._always = Shields(input=_once(self._settings.input), output=_once(self._settings.output))
        self._is_on = bool(self._always.input or self._always.output)

    def of(self, request: Any, form: Form) -> Guard | None:
        """What a request goes through; None where that is nothing. Raises RequestError where there are no shields."""
        given: list[str] | ByWay | None = request.guardrails
        if given is None and not self._is_on:
            return None
        if is_judging():
            return None
        shields = self._always if given is None else _given(given)
        if given is not None and not self._settings.may_be_changed:
            shields = self._always | shields
        if not shields.input and not shields.output:
            return None
        safety = self._find_api("safety")
        if safety is None:
            raise RequestError(
                "This server has no shields: no provider of the API safety is configured",
                hint=f"leave out `{_FIELD}`, or configure a provider of safety",
                param=_FIELD,
            )
        return Guard(form, shields, self._settings, safety, is_asked=given is not None)


class Guard:
    """What one request goes through. is_asked: whether the request names the shields itself."""

    def __init__(
        self, form: Form, shields: Shields, settings: GuardrailsConfig, safety: Any, *, is_asked: bool
    ) -> None:
        self._form = form
        self._shields = shields
        self._settings = settings
        self._safety = safety
        self._is_asked = is_asked

    async def take(self, request: Any, ask: Ask) -> Reply | EventStream:
        """The model's answer, or a refusal in its place. Raises what `ask` raises; NotFound for an unknown shield; what
        a shield raises that fails, where that refuses.
        """
        asked = self._form.asked(request) if self._shields.input else []
        if not asked:
            return await self._taken_back(request, await ask(request))
        if not self._settings.beside_the_model:
            if (found := await self._judged(self._shields.input, asked)) is not None:
                return self._refusal(request, found)
            return await self._taken_back(request, await ask(request))
        asking = asyncio.ensure_future(ask(request))
        try:
            if (found := await self._judged(self._shields.input, asked)) is None:
                answer = await asking
        except BaseException:
            await to_the_end(_let_go(asking))
            raise
        if found is None:
            return await self._taken_back(request, answer)
        await to_the_end(_let_go(asking))
        return self._refusal(request, found)

    async def _taken_back(self, request: Any, answer: Reply | EventStream) -> Reply | EventStream:
        if not self._shields.output:
            return answer
        context, begun = self._form.context(request), self._form.begun(request)

        async def judge(texts: list[str]) -> Violation | None:
            said = [[*context, {"role": "assistant", "content": text}] for text in texts]
            return await self._judged(self._shields.output, said)

        if isinstance(answer, EventStream):
            window, choices = self._settings.window_chars, self._form.choices(request)
            stage = GuardedStream(self._form, judge, model=request.model, window=window, choices=choices, begun=begun)
            return answer.through(stage)
        return await self._passed(answer.value(), judge, begun) or answer

    async def _passed(self, whole: Json, judge: Judge, begun: Texts) -> Reply | None:
        """The answer with refusals in place of what is harmful; None where nothing is. begun: what the request gives as
        its beginning. What a vendor says beside the answers is left out with what is harmful: it may be about that.
        """
        choices = whole.get("choices") or []
        texts = [_after(begun, self._form.texts(choice)) for choice in choices]

        async def one(text: str) -> Violation | None:
            return await judge([text]) if text else None

        found = await concurrently(one, texts, at_once=_AT_ONCE)
        first = next((one for one in found if one is not None), None)
        if first is None:
            return None
        refused = [
            choice if one is None else self._form.refused(choice, one.message)
            for choice, one in zip(choices, found, strict=True)
        ]
        known = {name: value for name, value in whole.items() if name in _OF_AN_ANSWER}
        return Reply.of({**known, "choices": refused, "violation": first.shown()})

    def _refusal(self, request: Any, found: Violation) -> Reply | EventStream:
        """An answer of no model."""
        choices = self._form.choices(request)
        if request.stream:
            return refusal_stream(self._form, found, model=request.model, choices=choices)
        refused = [self._form.refused({"index": index}, found.message) for index in range(choices)]
        head = {"id": new_id(self._form.prefix), "object": self._form.whole, "created": int(wall_time())}
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        return Reply.of(
            {**head, "model": request.model, "choices": refused, "usage": usage, "violation": found.shown()}
        )

    async def _judged(self, shields: Sequence[str], said: list[Conversation]) -> Violation | None:
        """What the first shield that finds something finds."""
        pairs = itertools.product(shields, said)
        found = await concurrently(self._assess, pairs, at_once=_AT_ONCE)
        return next((one for one in found if one is not None), None)

    async def _assess(self, pair: tuple[str, Conversation]) -> Violation | None:
        shield_id, messages = pair
        limit_s = self._settings.timeout_s
        try:
            async with asyncio.timeout(limit_s) as limit:
                request = AssessRequest.model_construct(shield_id=shield_id, messages=messages, params=None)
                found: Assessment = await self._safety.assess(request)
        except StackError as error:
            self._note_failure(shield_id, error)
            return None
        except Exception as error:
            if limit.expired():
                self._note_failure(shield_id, Unavailable(f"it has not answered within {limit_s:g} s"))
                return None
            log.exception("shield failed", extra={"shield_id": shield_id})
            self._note_failure(shield_id, Unavailable(f"{type(error).__name__}; the server's log says why"))
            return None
        if not found.flagged:
            return None
        seen = violation_of(shield_id, found)
        log.info("shield has found something", extra={"shield_id": shield_id, "level": seen.level})
        if seen.level == "error":
            return seen
        warn(f"the shield `{shield_id}` notes: {seen.message}")
        return None

    def _note_failure(self, shield_id: str, error: StackError) -> None:
        """Raises the error, unless what cannot be judged passes."""
        param = _FIELD if self._is_asked else None
        if isinstance(error, NotFound) and error.param == "shield_id":
            raise error.saying(error.message, param=param)
        words = f"The shield `{shield_id}` has failed: {error.message}"
        if self._settings.on_failure == "refuse":
            raise error.saying(words, param=None)
        log.warning("passed without a shield", extra={"shield_id": shield_id, "error": error.message})
        warn(f"the shield `{shield_id}` has failed, and was passed by: {error.message}")


async def _let_go(asking: asyncio.Future[Reply | EventStream]) -> None:
    """End what a model was asked, whether or not it has begun to answer."""
    asking.cancel()
    await asyncio.wait({asking})
    if not asking.cancelled() and asking.exception() is None and isinstance(answer := asking.result(), EventStream):
        await answer.aclose()


def _after(begun: Texts, said: Texts) -> str:
    """All that is said, after what was begun."""
    return joined({place: begun.get(place, "") + text for place, text in said.items()})


def _given(given: list[str] | ByWay) -> Shields:
    if isinstance(given, list):
        return Shields(input=_once(given), output=_once(given))
    return Shields(input=_once(given.get("input") or ()), output=_once(given.get("output") or ()))


def _once(*names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(itertools.chain(*names)))
