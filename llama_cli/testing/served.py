"""A stack for tests: `llama stack exec` in a process of its own, which ends with this one, however that ends.

Standard library only. Knows how `exec` is called, and the API `recordings` of a stack that records.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from llama_cli.testing.settings import Settings

_STATE, _TEST = "/v1alpha/recordings", "/v1alpha/recordings/test"
_NO_ROUTE = 404
_LIMIT_S = 30.0
_END_S = 30.0
_LAST_BYTES = 8_000
# What the project keeps in this folder, or names by PYTHONPATH, can be called as packages of ours are.
_LLAMA = (sys.executable, "-E", "-P", "-m", "llama_cli.entry")
# What `exec` runs: says what its environment is, and waits until we have ended, or do not want it any more.
_WAITER = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
_URL = "LLAMA_STACK_URL"


class StackFailed(Exception):
    """A stack that does not start, or that has ended. Its text is what `llama stack exec` has said."""


class Recorded(NamedTuple):
    """missed: each request without a recording, in words. failure: why the last recording could not be written."""

    missed: list[str]
    failure: str | None


class RunningStack:
    """A stack that runs, whoever has started it. url: where it answers; variables: those that point libraries at it,
    where they are not set already, and with None those that would lead elsewhere.
    """

    variables: Mapping[str, str | None]

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

    def recorded(self, test: str) -> Recorded | None:
        """What was not recorded, of a test; empty for what belongs to none. None where the stack neither records nor
        replays. Raises StackFailed.
        """
        found = self.ask("GET", f"{_STATE}?{urlencode({'test': test})}")
        return None if found is None else Recorded([one["message"] for one in found["missed"]], found["failure"])

    def how_to_record(self, test: str) -> str:
        """What to do for a request of a test that was not recorded; empty for what belongs to none."""
        return "record again: `llama stack exec` with `--record`, or `--record-if-missing`, in place of `--replay`"

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
        except (OSError, HTTPException) as error:
            raise StackFailed(f"the stack at {self.url} does not answer: {error}\n{self.told()}".rstrip()) from error
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
        before = dict(os.environ)
        self._process = subprocess.Popen(
            [
                *_LLAMA,
                "stack",
                "exec",
                "-q",
                settings.target,
                *settings.words(),
                "--",
                sys.executable,
                "-I",
                "-c",
                _WAITER,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=settings.folder,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            said = self.told()
            self.close()
            raise StackFailed(said or "`llama stack exec` has said nothing")
        there: Mapping[str, str] = json.loads(line)
        super().__init__(there[_URL])
        self.variables = {name: there.get(name) for name in {*there, *before} if there.get(name) != before.get(name)}

    def how_to_record(self, test: str) -> str:
        return f"record anew: pytest --llama-stack-mode record {shlex.quote(test)}".removesuffix(" ''")

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
