"""Answers for what the stack records."""

from __future__ import annotations

from runtime.apis.recordings.protocol import (
    BeginTestRequest,
    DecidedRequest,
    MissedRequest,
    RecordingsRequest,
    RecordingState,
    RequestDifference,
)
from runtime.errors import Unavailable
from runtime.provider import Decided, Missed, ProviderContext


class BuiltinRecordings:
    """Implements `Recordings`."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        recorder = context.recorder
        if recorder is None:
            raise Unavailable(
                "this server neither records nor replays", hint="start it with `--record DIR` or `--replay DIR`"
            )
        self._recorder = recorder

    async def recording_state(self, request: RecordingsRequest) -> RecordingState:
        recorder = self._recorder
        scope = None if request.test is None else recorder.scope_of(request.test)
        missed = [one for one in recorder.misses if scope in (None, one.scope)]
        decided = [one for one in recorder.decisions if scope in (None, one.scope)]
        return RecordingState(
            mode=recorder.mode,
            folder=str(recorder.folder),
            test=recorder.test,
            count=len(recorder),
            missed=list(map(_missed, missed)),
            decided=list(map(_decided, decided)),
            failure=recorder.failure or None,
        )

    async def begin_test(self, request: BeginTestRequest) -> RecordingState:
        self._recorder.begin(request.test)
        return await self.recording_state(RecordingsRequest(test=request.test))


def _missed(miss: Missed) -> MissedRequest:
    return MissedRequest(
        test=miss.scope,
        provider=miss.provider,
        operation=miss.operation,
        nearest=None if miss.nearest is None else str(miss.nearest),
        differences=[RequestDifference(path=path, recorded=was, asked=now) for path, was, now in miss.differences],
        message=miss.words,
    )


def _decided(decision: Decided) -> DecidedRequest:
    return DecidedRequest(
        test=decision.scope,
        provider=decision.provider,
        operation=decision.operation,
        file=str(decision.path),
        rule=decision.rule,
        message=decision.words,
    )
