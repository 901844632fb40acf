"""What stands between a stack's providers and the servers that they call, and between them and whoever calls them:
recordings. Knows which provider is recorded how; how that is done is known to `runtime/recording`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from runtime.apis._api import Api
from runtime.http.transport import Between
from runtime.provider import ListsModels, ProviderContext
from runtime.recording.calls import Calls
from runtime.recording.session import Session
from runtime.recording.upstream import UpstreamRecorder
from runtime.stack.in_replay import is_replaced
from runtime.stack.planned import PlannedProvider


class Interposed:
    """session: what is recorded or replayed. variables: those that turned this stack's providers on, for a replay."""

    def __init__(self, session: Session, *, variables: Mapping[str, str]) -> None:
        self.session = session
        self._variables = variables

    def upstream(self, planned: PlannedProvider, api: Api) -> Between | None:
        """What stands before the servers that a provider calls; None for nothing."""
        if ":" in api.in_replay:
            return None  # another provider is there in a replay, which calls none
        return UpstreamRecorder(self.session, _name(planned))

    def stand_in(self, planned: PlannedProvider, api: Api, context: ProviderContext) -> Any | None:
        """What is there in a provider's place; None for itself."""
        if not self.session.replays:
            return None
        if ":" in api.in_replay:
            module, _, name = api.in_replay.partition(":")
            return getattr(import_module(module), name)(planned.config, context)
        calls = self._calls(planned, api)
        return calls.stand_in() if calls else None

    def door(self, planned: PlannedProvider, api: Api, adapter: Any) -> Any:
        """A provider as others see it."""
        calls = None if self.session.replays else self._calls(planned, api)
        return calls.door(adapter) if calls else adapter

    async def note(self, providers: Iterable[tuple[PlannedProvider, Api, Any]]) -> None:
        """Keep what a replay has to know of the providers, which have started."""
        facts = {}
        for planned, api, adapter in providers:
            if (calls := self._calls(planned, api)) is not None:
                models = await adapter.list_models() if isinstance(adapter, ListsModels) else ()
                facts[_name(planned)] = calls.facts(adapter, models)
        self.session.note_stack(self._variables, facts)

    def _calls(self, planned: PlannedProvider, api: Api) -> Calls | None:
        """The calls of a provider whose calls are recorded; None for any other."""
        if ":" in api.in_replay or not is_replaced(planned.spec, api):
            return None
        return Calls(self.session, _name(planned), api.protocol, [one.name for one in api.operations()])


def _name(planned: PlannedProvider) -> str:
    return f"{planned.api}/{planned.provider_id}"
