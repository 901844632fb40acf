"""What happens below the SDK while one of our requests is made: it tells of failures only that there was one."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from runtime.errors import StackError

_HIDDEN = "********"


@dataclass(kw_only=True)
class Trial:
    """failure: our own error, if one ended it. status: of the last answer that was none, such as 404; 0 for none.
    secrets: what was sent to identify somebody. abandon: ends the wait for an answer that cannot come.
    """

    failure: StackError | None = None
    status: int = 0
    secrets: set[str] = field(default_factory=set, repr=False)
    abandon: Callable[[], None] | None = None

    def note(self, failure: StackError) -> None:
        """The first failure counts: what follows comes of it."""
        if self.failure is None:
            self.failure = failure

    def without_secrets(self, text: str) -> str:
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text


ASKED: ContextVar[Trial | None] = ContextVar("asked", default=None)
"""Of the request that is being made. The SDK passes the context of who asks on to who sends."""
