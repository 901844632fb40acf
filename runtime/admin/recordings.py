"""Asks the providers of a run config, as they are now, what was recorded, and says how their answers have changed.

No server is needed for it: each provider is made by itself, and whatever it keeps goes into a temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from runtime.admin.alone import made_alone
from runtime.http.client import HttpClient
from runtime.provider import Starts
from runtime.recording import documents
from runtime.recording.anew import Anew, NotAsked, answer_of_adapter, answer_of_server, why_not_asked
from runtime.recording.documents import Recording, RecordingError
from runtime.recording.drift import meaning_drift, schema_drift
from runtime.recording.upstream import UpstreamRecorder
from runtime.similar import names_for
from runtime.sse import Json
from runtime.stack.failures import TookTooLong, attempt, reason_of
from runtime.stack.plan import Plan, plan, read_run_config
from runtime.stack.planned import PlannedProvider
from runtime.stack.stack import Stack

LIMIT_S = 300.0
"""How long a provider can take for one answer."""
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How it is asked. folder: of the recordings. alike: see `meaning_drift`. writes: whether what is answered takes
    the place of what was recorded. hidden: patterns of what is not to be recorded.
    """

    folder: Path
    alike: float
    writes: bool = False
    hidden: tuple[str, ...] = ()


async def ask_anew(run_yaml: Path, names: Sequence[str], asking: Asking, tell: Tell) -> list[Json]:
    """A row for each recording, in their order: file, test, provider, operation, outcome, message, duration_s, the
    drift of its schema and of its meaning, and whether it was written anew.

    outcome: `same`, `drifted`, `unreachable` where its provider does not answer, `not_asked` where it cannot be asked
    by itself. Raises ConfigInvalid for a run config that cannot be planned, RecordingError for a damaged recording.
    """
    run = read_run_config(run_yaml, os.environ, to_build=True)
    planned = plan(run, file=str(run_yaml))
    rows: dict[str, Json] = {}

    def note(row: Json) -> None:
        rows[row["file"]] = row
        tell(row["operation"], len(rows), len(names))

    of_provider: defaultdict[str, list[_Stored]] = defaultdict(list)
    for one in [_Stored(name, documents.load(asking.folder / name)) for name in names]:
        if why := why_not_asked(one.recording):
            note(one.row("not_asked", why))
        else:
            of_provider[one.recording.provider].append(one)
    with tempfile.TemporaryDirectory(prefix="llama-recordings-") as folder:
        world = _World(planned, Stack(planned, run, state_dir=Path(folder)), Path(folder), asking)
        await asyncio.gather(*(world.ask(provider, of_it, note) for provider, of_it in of_provider.items()))
    return [rows[name] for name in names]


class _Stored(NamedTuple):
    """A recording, and its file below the folder."""

    file: str
    recording: Recording

    def row(self, outcome: str, message: str | None = None, *, began: float | None = None) -> Json:
        """began: when it was asked, on the monotonic clock."""
        return {
            "file": self.file,
            "test": self.recording.scope,
            "provider": self.recording.provider,
            "operation": self.recording.operation,
            "outcome": outcome,
            "message": message,
            "duration_s": None if began is None else round(time.monotonic() - began, 3),
            "schema": [],
            "meaning": [],
            "written": False,
        }


@dataclass(frozen=True)
class _World:
    """What is there to be asked. view: a stack that is never opened."""

    planned: Plan
    view: Stack
    state_dir: Path
    asking: Asking

    async def ask(self, name: str, recordings: Sequence[_Stored], note: Callable[[Json], None]) -> None:
        """Ask a provider one after the other, as it was recorded: some answers follow from those before."""
        left = iter(recordings)
        provider = next((one for one in self.planned.providers if f"{one.api}/{one.provider_id}" == name), None)
        if provider is None:
            why = self._why_off(name)
        else:
            why = ""
            state_dir = self.state_dir / provider.api / provider.provider_id
            session = Anew(state_dir / "none", secrets=lambda: list(provider.secrets()), hidden=self.asking.hidden)
            between = UpstreamRecorder(session, name)
            try:
                async with made_alone(provider, self.view, self.state_dir, between=between) as (adapter, http):
                    if isinstance(adapter, Starts) and any("call" in one.recording.request for one in recordings):
                        await adapter.start()
                    for one in left:
                        note(await self._row(one, provider, adapter, http, session))
            except RecordingError:
                raise
            except (Exception, SystemExit) as error:
                why = reason_of(error, provider, "did not start")
        for one in left:
            note(one.row("unreachable", why))

    async def _row(
        self, one: _Stored, provider: PlannedProvider, adapter: Any, http: HttpClient, session: Anew
    ) -> Json:
        began = time.monotonic()
        try:
            now, server = await attempt(self._answer(one.recording, provider, adapter, http, session), limit_s=LIMIT_S)
        except NotAsked as error:
            return one.row("not_asked", error.message)
        except (Exception, SystemExit) as error:
            words = reason_of(error, provider, "did not answer")
            if isinstance(error, TookTooLong):
                words = f"`{provider.provider_id}` did not answer within {LIMIT_S:.0f} s"
            return one.row("unreachable", words, began=began)
        schema = schema_drift(one.recording.answer, now)
        meaning = meaning_drift(one.recording.answer, now, alike=self.asking.alike)
        row = one.row("drifted" if schema or meaning else "same", began=began)
        if self.asking.writes:
            request = one.recording.request | ({"server": server} if server else {})
            anew = Recording(provider=one.recording.provider, request=request, answer=now, scope=one.recording.scope)
            _write(anew, self.asking.folder / one.file)
        row |= {"schema": [each._asdict() for each in schema], "meaning": [each._asdict() for each in meaning]}
        return row | {"written": self.asking.writes}

    async def _answer(
        self, recording: Recording, provider: PlannedProvider, adapter: Any, http: HttpClient, session: Anew
    ) -> tuple[Json, str]:
        """What is answered now, and by which server, if any."""
        if "call" not in recording.request:
            return await answer_of_server(session, http, recording)
        return await answer_of_adapter(session, self.planned.world.load_api(provider.api), adapter, recording), ""

    def _why_off(self, name: str) -> str:
        """Why there is no provider of this name, `api/id`."""
        api, _, provider_id = name.partition("/")
        if how := self.planned.turned_on_by(api).get(provider_id):
            return f"`{provider_id}` is off: {how}"
        known = [f"{one.api}/{one.provider_id}" for one in self.planned.of(api)]
        hint = f" ({names_for(name, known)})" if known else ""
        return f"there is no provider `{name}` in the run config{hint}"


def _write(recording: Recording, path: Path) -> None:
    try:
        documents.save(recording, path)
    except OSError as error:
        raise RecordingError(f"`{path}` cannot be written: {error.strerror}", hint="is its folder yours?") from error
