"""Recordings of providers that compute in this process: a door before such a provider keeps what its methods are asked
and answer, and in a replay something stands in for it that has only the recordings, so that nothing of it is imported.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from runtime.apis._request import Request
from runtime.errors import RequestError, UpstreamError
from runtime.provider import ListedModel
from runtime.recording import answers
from runtime.recording.bodies import place_of
from runtime.recording.documents import Recording
from runtime.recording.pace import timing_of
from runtime.recording.reading import Reading
from runtime.recording.session import Session
from runtime.recording.streams import as_events
from runtime.sse import EventStream, Frames, Json, Reply
from runtime.to_the_end import to_the_end
from runtime.wrapped import Wrapped

Method = Callable[[Any], Any]


class Calls:
    """The calls of one provider. name: `api/id`. protocol: its API's. methods: those of it that it may have."""

    def __init__(self, session: Session, name: str, protocol: type, methods: Sequence[str]) -> None:
        self._session = session
        self._name = name
        self._protocol = protocol
        self.methods = frozenset(methods)

    def door(self, adapter: Any) -> Any:
        """The provider as others see it: what its methods answer is recorded."""
        return Wrapped(adapter, {name: self._recorded(name, method) for name in self.methods
                                 if (method := getattr(adapter, name, None)) is not None})  # fmt: skip

    def stand_in(self) -> Any:
        """What answers in the provider's place. It has the methods that the provider had when it was recorded."""
        facts: Mapping[str, Any] = self._session.manifest.providers.get(self._name, {})
        there = set(facts.get("methods", self.methods)) & self.methods
        return _StandIn({name: self._recorded(name, None) for name in there}, facts.get("models", ()))

    def facts(self, adapter: Any, models: Sequence[ListedModel]) -> Json:
        """What a replay has to know of the provider."""
        has = sorted(name for name in self.methods if getattr(adapter, name, None) is not None)
        listed = [
            {"provider_model_id": one.provider_model_id, "model_type": one.model_type, "metadata": dict(one.metadata)}
            for one in models
        ]
        return {"methods": has, "models": listed}

    async def work(
        self, name: str, asked: Json, work: Callable[[], Awaitable[Reply]], *, check: Callable[[bytes], object]
    ) -> Reply:
        """Implements `Recorded`. What takes long with an answer of many megabytes is done in threads."""
        recording, secrets = self._asked({"call": name, "json": asked})
        found = self._session.find(recording.scope, self._name, recording.request)
        if found is not None:
            return await asyncio.to_thread(self._reply_of, found, name, check)
        try:
            shown = answers.shown(await work())
        except (RequestError, UpstreamError) as error:
            if (refusal := answers.shown_refusal(error)) is not None:
                await to_the_end(self._keep_large(recording, refusal, secrets))
            raise
        assert shown is not None, "it is a reply"
        await to_the_end(self._keep_large(recording, shown, secrets))
        return Reply.of(recording.answer["reply"])

    async def _keep_large(self, recording: Recording, answer: Json, secrets: list[str]) -> None:
        hide = self._session.hiding.answer
        recording.answer = await asyncio.to_thread(hide, answer, also=secrets)
        await self._session.keep_large(recording)

    def _reply_of(self, found: Recording, name: str, check: Callable[[bytes], object]) -> Reply:
        answer = answers.restored(found, self._protocol, name, is_timed=False)
        if isinstance(answer, Reply):
            with suppress(ValueError):
                check(answer.data)
                return answer
        raise answers.no_answer(found, name)

    def _recorded(self, name: str, method: Method | None) -> Method:
        async def call(request: Request) -> Any:
            return await self._answered(name, _shown(name, request), method and (lambda: method(request)))

        return call

    async def _answered(self, name: str, shown: Json, do: Callable[[], Awaitable[Any]] | None) -> Any:
        """What was recorded, or what it gives to do it. do: None where a replay has nothing that could."""
        session = self._session
        recording, secrets = self._asked(shown)
        found = session.find(recording.scope, self._name, recording.request)
        if found is not None:
            return answers.restored(found, self._protocol, name, is_timed=session.is_timed)
        assert do is not None, "a replay raises for what was not recorded"

        def keep(answer: Json) -> None:
            recording.answer = session.hiding.answer(answer, also=secrets)
            session.keep(recording, call=shown, may_pass=False)

        began = time.monotonic()
        try:
            answer = await do()
        except (RequestError, UpstreamError) as error:
            if (refusal := answers.shown_refusal(error)) is not None:
                keep(refusal)
            raise
        if isinstance(answer, EventStream):
            return _KeptStream(answer, session, keep, began)
        if (kept := answers.shown(answer)) is not None:
            keep(kept)
        return answer

    def _asked(self, shown: Json) -> tuple[Recording, list[str]]:
        """A recording of what is asked now, without an answer; and the secrets of whoever asks."""
        session = self._session
        secrets = list(session.secrets_of_caller())
        request = session.hiding.request(shown, also=secrets)
        return Recording(provider=self._name, request=request, answer={}, scope=session.scope()), secrets


def _shown(name: str, request: Request) -> Json:
    """A call as a recording has it. A server that is named by its address may be at another one the next time."""
    body = request.wire()
    place = place_of(body.pop("url")) if isinstance(body.get("url"), str) else {}
    return {"call": name, **place, "json": body}


class _StandIn:
    """A provider that has recordings and nothing else."""

    def __init__(self, methods: Mapping[str, Method], models: Sequence[Mapping[str, Any]]) -> None:
        self._methods = methods
        self._models = models

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._methods:
            raise AttributeError(name)
        return self._methods[name]

    async def list_models(self) -> list[ListedModel]:
        return [ListedModel(**one) for one in self._models]


class _KeptStream(EventStream):
    """A stream that is recorded. When its reader leaves, it is read on, so that the recording is whole; what breaks off
    is not recorded.
    """

    __slots__ = ("_began", "_keep", "_reading", "_session", "_stream")

    def __init__(self, stream: EventStream, session: Session, keep: Callable[[Json], None], began: float) -> None:
        self._stream = stream
        self._session = session
        self._keep = keep
        self._began = began
        self._reading = Reading(stream, self._kept)

    async def __anext__(self) -> Frames:
        return await anext(self._reading)

    async def aclose(self) -> None:
        if self._reading.is_over:
            await self._stream.aclose()
        else:
            self._session.later(self._drained())

    async def _drained(self) -> None:
        try:
            async for _ in self._reading:
                pass
        finally:
            await self._reading.stop()
            await self._stream.aclose()

    def _kept(self, error: BaseException | None) -> None:
        if error is not None:
            return
        came = [(at, as_events(frames.data)) for at, frames in self._reading.came]
        events = [event for _, new in came for event in new]
        self._keep({"events": events, "timing": timing_of(self._began, ((at, len(new)) for at, new in came))})
