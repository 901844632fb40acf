"""What a stack that records or replays says at the end of a command: what was asked and not recorded, and, to whoever
wants to know more, which of several recordings answered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llama_cli.asking.ask import get
from llama_cli.exits import Failure
from llama_cli.terminal import console, words

_LIMIT_S = 10.0
_SHOWN = 10


class Recorded(NamedTuple):
    """missed: each request without a recording, in words; decided: each that several fitted. failure: why the last
    recording could not be written.
    """

    missed: list[str]
    decided: list[str]
    failure: str | None


def state_of(url: str) -> Recorded:
    """As the stack says it; nothing of one that does not answer any more."""
    try:
        found: Any = get(url, "/v1alpha/recordings", timeout_s=_LIMIT_S)
    except Failure:
        return Recorded([], [], None)
    missed, decided = ([one["message"] for one in found[name]] for name in ("missed", "decided"))
    return Recorded(missed, decided, found["failure"])


def explain(recorded: Recorded) -> None:
    """Say by which rules recordings were taken, with `--verbose`."""
    for message in recorded.decided:
        console.detail(message)


def complain(recorded: Recorded) -> Failure | None:
    """Say what was not recorded, on stderr. Returns the failure that a command ends in which has noticed nothing; None
    where all was recorded.
    """
    for message in recorded.missed[:_SHOWN]:
        console.warn(message)
    if len(recorded.missed) > _SHOWN:
        console.warn(f"and {words.counted(len(recorded.missed) - _SHOWN, 'more request')} without a recording")
    if recorded.missed:
        return Failure(
            f"{words.counted(len(recorded.missed), 'request')} had no recording",
            hint="record again: the same with `--record`, or `--record-if-missing`, in place of `--replay`",
        )
    if recorded.failure:
        return Failure(
            f"not everything was recorded: {recorded.failure}", hint="is there room, and may you write there?"
        )
    return None
