"""What an application serves at this moment, so that its server can end it."""

from __future__ import annotations

from typing import Protocol

from runtime.errors import StackError, Unavailable


class Ends(Protocol):
    """An answer or a connection that is being served."""

    def stop(self, error: StackError) -> None:
        """End it with this error, unless it ends already."""


class Drains(Ends, Protocol):
    """A connection that carries one request after the other."""

    def drain(self) -> None:
        """Let it end after the requests that were already received."""


class Ongoing:
    """The answers and connections of one application. Each adds itself when it begins and removes itself in the end."""

    def __init__(self) -> None:
        self.answers: set[Ends] = set()
        self.connections: set[Drains] = set()

    def drain(self) -> None:
        """Let open connections end after the requests that were already received."""
        for connection in list(self.connections):
            connection.drain()

    def end(self, reason: str) -> int:
        """End everything with an error that has this reason. Returns how many there were."""
        ending = [*self.answers, *self.connections]
        for one in ending:
            one.stop(Unavailable(reason, code="server_stopping"))
        return len(ending)
