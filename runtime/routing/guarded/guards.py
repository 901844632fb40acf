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
from runtime.clock import stamp
from runtime.concurrently import concurrently
from runtime.config.safety import GuardrailsConfig, SafetyConfig
from runtime.context import warn
from runtime.errors import NotFound, RequestError, StackError, Unavailable
from runtime.ids import new_id
from runtime.routing.guarded.forms import Conversation, Form
from runtime.routing.guarded.judging import is_judging
from runtime.routing.guarded.stream import GuardedStream, Judge, refusal_stream
from runtime.routing.guarded.texts import Texts, choices_of, joined, texts_of
from runtime.routing.guarded.violations import Violation, Way, violation_of
from runtime.sse import EventStream, Json, Reply
from runtime.telemetry.changes import note_change, note_choice
from runtime.to_the_end import to_the_end

log = logging.getLogger(__name__)
Ask = Callable[[Any], Awaitable[Reply | EventStream]]
"""Asks the model."""
_FIELD = "guardrails"
_OF_AN_ANSWER = frozenset({"id", "object", "created", "model", "usage", "service_tier", "system_fingerprint"})
_AT_ONCE = 8


class _Found(Exception):
    """Ends the others that look at the same."""

    def __init__(self, violation: Violation) -> None:
        self.violation = violation


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
        self._usual = settings.default_shield_id if settings is not None else None
        self._settings = settings.guardrails if settings is not None else GuardrailsConfig()
        self._always = Shields(input=_once(self._settings.input), output=_once(self._settings.output))
        self._is_on = bool(self._always.input or self._always.output)

    def of(self, request: Any, form: Form) -> Guard | None:
        """What a request goes through; None where that is nothing. Raises RequestError where there are no shields."""
        given: list[str] | ByWay | bool | None = request.guardrails
        if given is None and not self._is_on:
            return None
        if is_judging():
            return None
        shields = self._always if given is None else self._given(given)
        if given is not None and not self._settings.may_be_changed:
            shields = self._always | shields
        if not shields.input and not shields.output:
            return None
        if given is None:
            named = ", ".join(f"`{one}`" for one in _once(shields.input, shields.output))
            note_choice(f"guardrails {named}: this server's own, which every request goes through")
        safety = self._find_api("safety")
        if safety is None:
            raise RequestError(
                "This server has no shields: no provider of the API safety is configured",
                hint=f"leave out `{_FIELD}`, or configure a provider of safety",
                param=_FIELD,
            )
        return Guard(form, shields, self._settings, safety, given=given)

    def _given(self, given: list[str] | ByWay | bool) -> Shields:
        """Raises RequestError for those of the run config where it has none."""
        if given is True:
            if self._is_on:
                return self._always
            if self._usual is None:
                raise RequestError(
                    f"`{_FIELD}: true` asks for the shields of the run config, and it names none",
                    hint=f"name shields in `{_FIELD}`, or set `safety.guardrails` or `safety.default_shield_id`",
                    param=_FIELD,
                )
            given = [self._usual]
        if isinstance(given, dict):
            return Shields(input=_once(given.get("input") or ()), output=_once(given.get("output") or ()))
        return Shields(input=_once(given or ()), output=_once(given or ()))


class Guard:
    """What one request goes through. given: the shields that it names itself."""

    def __init__(
        self,
        form: Form,
        shields: Shields,
        settings: GuardrailsConfig,
        safety: Any,
        *,
        given: list[str] | ByWay | bool | None,
    ) -> None:
        self._form = form
        self._shields = shields
        self._settings = settings
        self._safety = safety
        self._given = given
        self._notes: list[str] = []

    async def take(self, request: Any, ask: Ask) -> Reply | EventStream:
        """The model's answer, or a refusal in its place. Raises what `ask` raises; NotFound for an unknown shield; what
        a shield raises that fails, where that refuses.
        """
        asked = self._form.asked(request) if self._shields.input else []
        if not asked:
            return await self._taken_back(request, await ask(request))
        if not self._settings.beside_the_model:
            if (found := await self._judged("input", asked)) is not None:
                return self._refusal(request, found)
            return await self._taken_back(request, await ask(request))
        asking = asyncio.ensure_future(ask(request))
        try:
            if (found := await self._judged("input", asked)) is None:
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
            return await self._judged("output", said)

        if isinstance(answer, EventStream):
            window, choices = self._settings.window_chars, self._form.choices(request)
            stage = GuardedStream(
                self._form, judge, model=request.model, window=window, choices=choices, begun=begun,
                counts=_counts(request), notes=self._notes,
            )  # fmt: skip
            return answer.through(stage)
        return await self._passed(answer.value(), judge, begun) or answer

    async def _passed(self, whole: Json, judge: Judge, begun: Texts) -> Reply | None:
        """The answer with refusals in place of what is harmful; None where nothing is. begun: what the request gives as
        its beginning. What a vendor says beside the answers is left out with what is harmful: it may be about that.
        """
        choices = choices_of(whole)
        texts = [_after(begun, texts_of(choice)) for choice in choices]

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
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        if request.stream:
            counted = usage if _counts(request) else None
            return refusal_stream(self._form, found, model=request.model, choices=choices, usage=counted)
        refused = [self._form.refused({"index": index}, found.message) for index in range(choices)]
        head = {"id": new_id(self._form.prefix), "object": self._form.whole, "created": int(stamp())}
        return Reply.of(
            {**head, "model": request.model, "choices": refused, "usage": usage, "violation": found.shown()}
        )

    async def _judged(self, way: Way, said: list[Conversation]) -> Violation | None:
        """What the first shield that finds something finds: nobody waits for the others then."""

        async def one(pair: tuple[str, Conversation]) -> None:
            if (found := await self._assess(way, *pair)) is not None:
                raise _Found(found)

        shields = self._shields.input if way == "input" else self._shields.output
        try:
            await concurrently(one, itertools.product(shields, said), at_once=_AT_ONCE)
        except _Found as ended:
            return ended.violation
        return None

    async def _assess(self, way: Way, shield_id: str, messages: Conversation) -> Violation | None:
        limit_s = self._settings.timeout_s
        try:
            async with asyncio.timeout(limit_s) as limit:
                request = AssessRequest.model_construct(shield_id=shield_id, messages=messages, params=None)
                found: Assessment = await self._safety.assess(request)
        except StackError as error:
            self._note_failure(way, shield_id, error)
            return None
        except Exception as error:
            if limit.expired():
                self._note_failure(way, shield_id, Unavailable(f"it has not answered within {limit_s:g} s"))
                return None
            log.exception("shield failed", extra={"shield_id": shield_id})
            self._note_failure(way, shield_id, Unavailable(f"{type(error).__name__}; the server's log says why"))
            return None
        if not found.flagged:
            return None
        seen = violation_of(shield_id, way, found)
        log.info("shield has found something", extra={"shield_id": shield_id, "level": seen.level})
        if seen.level == "error":
            what = "request" if way == "input" else "answer"
            note_change(f"the shield `{shield_id}` stopped the {what}: a refusal stands in its place")
            return seen
        self._note(f"the shield `{shield_id}` notes: {seen.message}")
        return None

    def _note(self, words: str) -> None:
        """Say it with the answer, once."""
        if words not in self._notes:
            self._notes.append(words)
            warn(words)

    def _note_failure(self, way: Way, shield_id: str, error: StackError) -> None:
        """Raises the error, unless what cannot be judged passes."""
        if isinstance(error, NotFound) and error.param == "shield_id":
            given = self._given if isinstance(self._given, list | dict) else ()
            if shield_id in (given.get(way) or () if isinstance(given, dict) else given):
                raise error.saying(error.message, param=_FIELD if isinstance(given, list) else f"{_FIELD}.{way}")
            raise Unavailable(f"This server's own guardrails cannot be used: {error.message}", hint=error.hint)
        words = f"The shield `{shield_id}` has failed: {error.message}"
        if self._settings.on_failure == "refuse":
            raise error.saying(words, param=None)
        log.warning("passed without a shield", extra={"shield_id": shield_id, "error": error.message})
        self._note(f"the shield `{shield_id}` has failed, and was passed by: {error.message}")


async def _let_go(asking: asyncio.Future[Reply | EventStream]) -> None:
    """End what a model was asked, whether or not it has begun to answer."""
    asking.cancel()
    await asyncio.wait({asking})
    if not asking.cancelled() and asking.exception() is None and isinstance(answer := asking.result(), EventStream):
        await answer.aclose()


def _counts(request: Any) -> bool:
    """Whether a stream is to end with its token counts."""
    return bool((request.stream_options or {}).get("include_usage"))


def _after(begun: Texts, said: Texts) -> str:
    """All that is said, after what was begun."""
    return joined({place: begun.get(place, "") + text for place, text in said.items()})


def _once(*names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(itertools.chain(*names)))
