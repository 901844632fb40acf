"""A stack for tests: `llama stack exec` in a process of its own, which ends with this one, however that ends.

Standard library only. Knows how `exec` is called, and the API `recordings` of a stack that records.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

Mode = Literal["record", "replay", "record-if-missing", "live"]
MODES: tuple[Mode, ...] = ("record", "replay", "record-if-missing", "live")
URL = "LLAMA_STACK_URL"
"""What `exec` tells its command: where the stack answers."""

_STATE, _TEST = "/v1alpha/recordings", "/v1alpha/recordings/test"
_NO_ROUTE = 404
_LIMIT_S = 30.0
_END_S = 30.0
_LAST_BYTES = 8_000
# What `exec` runs: says what its environment is, and waits until we have ended, or do not want it any more.
_WAITER = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"


class StackFailed(Exception):
    """A stack that does not start, or that has ended. Its text is what `llama stack exec` has said."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a stack is started. target: a distribution or a run config; recordings: the folder of them; inject: faults;
    options: more of `llama stack exec`.
    """

    target: str = "starter"
    mode: Mode = "replay"
    recordings: str = "tests/recordings"
    inject: str | None = None
    options: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """The options of `exec`."""
        recorded = ["--live"] if self.mode == "live" else [f"--{self.mode}", self.recordings]
        faults = [] if self.inject is None else ["--inject", self.inject]
        return [*recorded, *faults, *self.options]


@dataclass(frozen=True, kw_only=True)
class Miss:
    """A request that was not recorded, in words."""

    test: str
    message: str


class RunningStack:
    """A stack that runs, whoever has started it. url: where it answers; variables: those that point libraries at it,
    where they are not set already.
    """

    variables: Mapping[str, str]

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.variables = {}

    @property
    def openai_base_url(self) -> str:
        """For clients of OpenAI's."""
        return f"{self.url}/v1"

    def begin(self, test: str) -> None:
        """Requests belong to this test from now on, where the stack records or replays. Raises StackFailed."""
        self.ask("POST", _TEST, {"test": test})

    def missed(self, test: str) -> list[Miss]:
        """What was not recorded, of a test. Raises StackFailed."""
        found = self.ask("GET", f"{_STATE}?{urlencode({'test': test})}")
        return [Miss(test=one["test"], message=one["message"]) for one in found["missed"]] if found else []

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that the stack answers; None where it has no such route, as one that records nothing. Raises
        StackFailed where it does not answer, or refuses.
        """
        place = urlsplit(self.url)
        connection = HTTPConnection(place.hostname or "", place.port, timeout=_LIMIT_S)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise StackFailed(f"the stack at {self.url} does not answer: {error}\n{self.told()}") from error
        finally:
            connection.close()
        if answer.status == _NO_ROUTE:
            return None
        if answer.status >= 300:
            raise StackFailed(f"{method} {path}: {text.decode(errors='replace')}")
        return json.loads(text)

    def told(self) -> str:
        """The end of what is known to have been said by it."""
        return ""

    def close(self) -> None:
        """It is not ours to stop."""


class OwnStack(RunningStack):
    """A stack that runs until `close`. Raises StackFailed where it does not start."""

    def __init__(self, settings: Settings) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        command = [sys.executable, "-m", "llama_cli.entry", "stack", "exec", settings.target, *settings.words()]
        self._process = subprocess.Popen(
            [*command, "--", sys.executable, "-c", _WAITER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            said = self.told()
            self.close()
            raise StackFailed(said or "`llama stack exec` has said nothing")
        environment: Mapping[str, str] = json.loads(line)
        super().__init__(environment[URL])
        self.variables = {name: value for name, value in environment.items() if os.environ.get(name) != value}

    def told(self) -> str:
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - _LAST_BYTES))
        return self._said.read().decode(errors="replace").strip()

    def close(self) -> None:
        """Stop it, and wait until nothing of it is left."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()


def in_words(misses: Sequence[Miss]) -> str:
    """What a test fails with."""
    return "\n\n".join(miss.message for miss in misses)
