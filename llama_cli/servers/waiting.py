"""Waits until servers are what one wants them to be: watches their records, and asks where those do not tell."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import named, records
from llama_cli.servers.goals import Goal
from llama_cli.servers.lacking import is_asked, lacking, lacking_at
from llama_cli.servers.records import Record
from llama_cli.terminal import progress, words
from runtime.errors import NotFound

WATCH_S = 0.05
"""Between two looks at a record."""
ASK_S = 0.5
"""Between two questions to a server."""


@dataclass
class Awaited:
    """A server that is waited for. name: as it is shown; url: where it answers, None where that is not known yet;
    record: None where it has none yet, and for an address. still: what it still lacks, in words, for each goal that is
    not met.
    """

    name: str
    url: str | None = None
    record: Record | None = None
    still: list[tuple[Goal, str]] = field(default_factory=list)
    waited_s: float = 0.0
    asked_at: float = field(default=float("-inf"))

    @classmethod
    def of(cls, given: str | None) -> Awaited:
        """given: the name of a server, or of a distribution that can be started; an address; None for the only server
        there is. Raises NotFound, Unavailable and Failure as `named.find` does.
        """
        try:
            record = named.find(given, or_crashed=True)
        except named.Elsewhere:
            return cls(name=str(given), url=given)
        except NotFound:
            if given is None or not _can_be_started(given):
                raise
            return cls(name=given)
        return cls(name=record.id, url=record.url, record=record)

    @property
    def lacks(self) -> str:
        """What it still lacks, in words; empty once it is all that is wanted."""
        return "; ".join(dict.fromkeys(why for _, why in self.still))

    @property
    def unmet(self) -> str:
        """The goals that are not met: `is not ready and does not serve ...`."""
        return " and ".join(goal.unmet for goal, _ in self.still)

    def is_all(self, goals: Sequence[Goal]) -> bool:
        """Whether it is everything that is wanted now. Raises Failure where it cannot become that any more."""
        self._look(goals)
        return not self.still

    def _look(self, goals: Sequence[Goal]) -> None:
        if self.record is None and self.url is not None:
            self._ask(goals, lambda goal: lacking_at(goal, self.url or ""))
            return
        now = records.read(self.record.path) if self.record is not None else _record_of(self.name)
        if now is None:
            if self.record is None:
                self.still = [(goal, "it was not started yet") for goal in goals if goal.kind != "stopped"]
                return
            now = _gone(self.record)
        self.record, self.url = now, now.url or self.url
        if now.can_be_asked and any(is_asked(goal, now) for goal in goals):
            self._ask(goals, lambda goal: lacking(goal, now))
        else:
            self._find(goals, lambda goal: lacking(goal, now))

    def _ask(self, goals: Sequence[Goal], lacks: Callable[[Goal], str | None]) -> None:
        """The same as `_find`, unless it was asked a moment ago."""
        if not self.still or time.monotonic() - self.asked_at >= ASK_S:
            self._find(goals, lacks)
            self.asked_at = time.monotonic()

    def _find(self, goals: Sequence[Goal], lacks: Callable[[Goal], str | None]) -> None:
        self.still = [(goal, why) for goal in goals if (why := lacks(goal)) is not None]

    def facts(self) -> dict[str, Any]:
        """What `--json` shows of it."""
        state = self.record.seen_state if self.record is not None else None
        return {"id": self.name, "url": self.url, "state": state, "waited_s": round(self.waited_s, 3)}


def wait(awaited: Sequence[Awaited], goals: Sequence[Goal], *, timeout_s: float | None) -> None:
    """Returns once each of them is everything that is wanted.

    timeout_s: None waits for as long as it can still come about. Raises Failure: TIMEOUT after that, UNHEALTHY where it
    cannot come about any more, USAGE for what the server does not have.
    """
    wanted = " and ".join(goal.what for goal in goals)
    began = time.monotonic()
    left = list(awaited)
    with progress.working(f"waiting for {wanted}") as step:
        while True:
            still = [one for one in left if not one.is_all(goals)]
            for one in left:
                one.waited_s = time.monotonic() - began
            left = still
            if not left:
                return
            step.detail = f"{left[0].name}: {left[0].lacks}"
            if timeout_s is not None and time.monotonic() - began > timeout_s:
                lines = [f"`{one.name}` {one.unmet} after {words.duration(timeout_s)}: {one.lacks}" for one in left]
                elsewhere = [one.url for one in left if one.record is None and one.url is not None]
                raise Failure(
                    "\n  ".join(lines),
                    hint=f"see `llama stack status {shlex.quote(elsewhere[0])}`"
                    if elsewhere
                    else "see `llama stack ps` and `llama stack logs`",
                    code=ExitCode.TIMEOUT,
                    facts={"servers": [one.facts() for one in left]},
                )
            time.sleep(WATCH_S)


def _record_of(name: str) -> Record | None:
    try:
        return named.find(name)
    except NotFound:
        return None


def _gone(record: Record) -> Record:
    """As which a server is seen whose record was removed: it has ended."""
    from dataclasses import replace

    return replace(record, state="stopped", alive=False, reason=None)


def _can_be_started(name: str) -> bool:
    """Whether `llama stack run` may be on its way with it."""
    from runtime.config.home import distributions_dir, is_distribution_name
    from runtime.config.template import template_summaries

    is_built = is_distribution_name(name) and (distributions_dir() / name).is_dir()
    return is_built or any(template.name == name for template in template_summaries())
