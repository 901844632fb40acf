"""What one test has asked its stack and was not recorded, each request said once."""

from __future__ import annotations

from hashlib import sha256

from llama_cli.testing.served import Recorded, RunningStack, StackFailed

_LONGEST_NAME = 1_000
"""A test can be called by all of what it is given; a server takes 4,096 characters."""


class Asked:
    """The requests of a test from now on; without a name, those that belong to no test. Raises StackFailed."""

    def __init__(self, stack: RunningStack, test: str = "") -> None:
        self._stack = stack
        self._test = test
        self._name = _shortened(test)
        self._seen = len(self._now().missed)  # when it ran before
        self._has_said_failure = False
        self._said: list[str] = []

    def begin(self) -> None:
        """Requests belong to this test from now on. Raises StackFailed."""
        self._stack.begin(self._name)

    def end(self) -> None:
        """They belong to none any more. Raises StackFailed."""
        self._stack.begin("")

    def news(self) -> str:
        """What was not said yet, in words; empty where there is nothing. Raises StackFailed."""
        now = self._now()
        parts, self._seen = now.missed[self._seen :], max(self._seen, len(now.missed))
        if parts:
            parts.append(self._stack.how_to_record(self._test))
        if now.failure and not self._has_said_failure:
            self._has_said_failure = True
            parts.append(f"not everything was recorded: {now.failure}; is there room, and may you write there?")
        self._said += parts
        return "\n\n".join(parts)

    def all_words(self) -> str:
        """All that there was to say, in words, also of a stack that is gone."""
        try:
            self.news()
        except StackFailed as error:
            self._said.append(str(error))
        return "\n\n".join(dict.fromkeys(self._said))

    def _now(self) -> Recorded:
        return self._stack.recorded(self._name) or Recorded([], None)


def _shortened(test: str) -> str:
    whole = test.encode(errors="backslashreplace")  # a file can have a name that is no text
    name = whole.decode()
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}-{sha256(whole).hexdigest()[:12]}"
