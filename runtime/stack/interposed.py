"""What stands between a stack's providers and the servers that they call, and between them and whoever calls them:
faults, and behind them recordings, so that a fault is not recorded. Knows which provider has it where; how that is done
is known to `runtime/recording` and `runtime/faults`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from runtime.apis._api import Api
from runtime.discovery import load
from runtime.errors import StackError
from runtime.faults.calls import FaultyCalls
from runtime.faults.injection import Faults
from runtime.faults.parsing import Rule
from runtime.faults.upstream import FaultyUpstream, was_injected
from runtime.http.retries import Retries
from runtime.http.transport import Between, Exchange, GoOn, Outgoing
from runtime.provider import ListsModels, ProviderContext, Recorded
from runtime.recording.calls import Calls
from runtime.recording.session import Session
from runtime.recording.upstream import UpstreamRecorder
from runtime.stack.in_replay import is_recorded_by_calls, is_replaced, stand_in_of
from runtime.stack.planned import PlannedProvider

if TYPE_CHECKING:
    from runtime.stack.plan import Plan


class Interposed:
    """session: what is recorded or replayed. variables: those that turned this stack's providers on, for a replay.
    faults: what goes wrong on purpose.
    """

    def __init__(
        self,
        session: Session | None = None,
        *,
        variables: Mapping[str, str] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.session = session
        self.faults = faults
        self._variables = variables or {}

    @property
    def replays(self) -> bool:
        """Whether nothing is asked for real."""
        return self.session is not None and self.session.replays

    def upstream(self, planned: PlannedProvider, api: Api) -> Between | None:
        """What stands before the servers that a provider calls; None for nothing."""
        recorder, faulty = None, None
        if self.session is not None and not is_replaced(planned.spec, api):  # else a replay calls none
            recorder = UpstreamRecorder(self.session, _name(planned))
        if self.faults is not None and not _fails_at_door(planned, api):
            faulty = FaultyUpstream(self.faults.of(_name(planned)))
        return _both(faulty, recorder) if faulty and recorder else faulty or recorder

    def retries(self, configured: Retries) -> Retries:
        """How often a provider's requests are sent again: in a replay not after a refusal that was recorded, since so
        was what came after it.
        """
        return replace(configured, repeats=was_injected) if self.replays else configured

    def recorded(self, planned: PlannedProvider, api: Api) -> Recorded | None:
        """Does what a provider wants to have recorded of its own work."""
        return Calls(self.session, _name(planned), api.protocol, ()).work if self.session is not None else None

    def stand_in(self, planned: PlannedProvider, api: Api, context: ProviderContext) -> Any | None:
        """What is there in a provider's place; None for itself."""
        if not self.replays:
            return None
        if (stand_in := stand_in_of(planned.spec, api)) is not None:
            return load(stand_in.adapter, package=planned.spec.module)(planned.config, context)
        calls = self._calls(planned, api)
        return calls.stand_in() if calls else None

    def door(self, planned: PlannedProvider, api: Api, adapter: Any) -> Any:
        """A provider as others see it."""
        calls = None if self.replays else self._calls(planned, api)
        recorded = calls.door(adapter) if calls else adapter
        faulty = self._faulty_calls(planned, api)
        return faulty.door(recorded) if faulty else recorded

    def outage(self, planned: PlannedProvider, api: Api) -> StackError | None:
        """Why a provider is to be down now; None where it is not, or finds out by itself."""
        faulty = self._faulty_calls(planned, api)
        return faulty.outage() if faulty else None

    def begin(self) -> None:
        """The stack is asked from now on."""
        if self.faults is not None:
            self.faults.begin()

    async def note(self, providers: Iterable[tuple[PlannedProvider, Api, Any]]) -> None:
        """Keep what a replay has to know of the providers, which have started."""
        if self.session is None:
            return
        facts = {}
        for planned, api, adapter in providers:
            if (calls := self._calls(planned, api)) is not None:
                models = await adapter.list_models() if isinstance(adapter, ListsModels) else ()
                facts[_name(planned)] = calls.facts(adapter, models)
        self.session.note_stack(self._variables, facts)

    async def close(self) -> None:
        """Wait for what is still being recorded."""
        if self.session is not None:
            await self.session.close()

    def _calls(self, planned: PlannedProvider, api: Api) -> Calls | None:
        """The calls of a provider whose calls are recorded; None for any other."""
        if self.session is None or not is_recorded_by_calls(planned.spec, api):
            return None
        return Calls(self.session, _name(planned), api.protocol, [one.name for one in api.operations()])

    def _faulty_calls(self, planned: PlannedProvider, api: Api) -> FaultyCalls | None:
        if self.faults is None or not _fails_at_door(planned, api):
            return None
        return FaultyCalls(self.faults.of(_name(planned)), api.protocol, api.operations())


def faults_of(planned: Plan, rules: Sequence[Rule], *, seed: int) -> Faults:
    """What goes wrong in a stack: `*` means the providers that are another service, and those that are recorded. Raises
    ConfigInvalid for rules of providers that it does not have.
    """
    load = planned.world.load_api
    every = {_name(one): one.spec.kind == "remote" or bool(load(one.api).in_replay) for one in planned.providers}
    return Faults(rules, seed=seed, providers=every, off=planned.turned_on_by())


def _fails_at_door(planned: PlannedProvider, api: Api) -> bool:
    """Whether the faults of a provider happen to those who call it, and not to its calls of a server: there are none,
    not over `http`, or not in a replay.
    """
    spec = planned.spec
    return spec.kind == "inline" or not spec.over_http or stand_in_of(spec, api) is not None


def _both(outer: Between, inner: Between) -> Between:
    async def between(request: Outgoing, go_on: GoOn) -> Exchange:
        return await outer(request, partial(inner, go_on=go_on))

    return between


def _name(planned: PlannedProvider) -> str:
    return f"{planned.api}/{planned.provider_id}"
