"""How a command ends: the exit codes, and the failure that has one, with its words and its hint. Prints nothing."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import asdict, replace
from enum import IntEnum
from typing import Self

from runtime.errors import ConfigInvalid, StackError


class ExitCode(IntEnum):
    """What a command's end means; the same in all of them. `meaning` is what `llama help exit-codes` prints.

    `exec` otherwise ends with the code of the command that it runs, and keeps to what timeout(1), env(1) and docker
    use for their own.
    """

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "all is as it was asked for"
    FAILED = 1, "something went wrong that has no code of its own"
    USAGE = 2, "wrong usage, an unknown name, or a prompt was needed without a terminal"
    CONFIG = 3, "configuration invalid"
    ACCESS = 4, "authentication or permission"
    CONFLICT = 5, "a port, lock or name is taken"
    NETWORK = 6, "network or upstream"
    UNHEALTHY = 7, "the server did not become, or is not, healthy"
    TIMEOUT = 8, "the given --timeout ran out"
    DIFFERENT = 9, "differences found or threshold missed"
    COMMAND_TIMEOUT = 124, "the command took longer than its --time-limit (exec)"
    EXEC_FAILED = 125, "the command's stack did not start, or has failed (exec)"
    NOT_EXECUTABLE = 126, "the command cannot be executed (exec)"
    NOT_FOUND = 127, "the command is not there (exec)"
    INTERRUPTED = 130, "interrupted (Ctrl-C)"
    TERMINATED = 143, "terminated (SIGTERM)"


BY_STATUS = {
    **dict.fromkeys((401, 403), ExitCode.ACCESS),
    **dict.fromkeys((429, 502, 504), ExitCode.NETWORK),
    404: ExitCode.USAGE,
    409: ExitCode.CONFLICT,
    503: ExitCode.UNHEALTHY,
}
"""The exit code for the HTTP status of one of our errors, where that alone says it."""


class Failure(Exception):
    """A command ends here. message: what failed and why; hint: what to do; facts: more for `--json`; details: lines
    for `--verbose`.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: ExitCode | int = ExitCode.FAILED,
        facts: Mapping[str, object] | None = None,
        details: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = int(code)
        self.facts = dict(facts or {})
        self.details = details

    @classmethod
    def of_option(cls, option: str, message: str, *, hint: str | None = None) -> Failure:
        """The failure that a value is which an option cannot have."""
        return cls(f"`{option}`: {message}", hint=hint, code=ExitCode.USAGE)

    @classmethod
    def of_unreadable(cls, error: ConfigInvalid, *, option: str | None = None, hint: str | None = None) -> Failure:
        """The failure that a file is which was named on a command line and cannot be read. hint: where the error has
        none.
        """
        problem = error.problems[0]
        message = str(replace(problem, hint=None))
        message = f"`{option}`: {message}" if option is not None else message
        return cls(message, hint=problem.hint or hint, code=ExitCode.USAGE)

    @classmethod
    def from_error(cls, error: StackError) -> Failure:
        """The failure that one of the runtime's errors is on a command line."""
        if not isinstance(error, ConfigInvalid):
            return cls(error.message, hint=error.hint, code=BY_STATUS.get(type(error).status, ExitCode.FAILED))
        of_options = error.of_options()
        message, hint = of_options or (error.message, error.hint)
        code = ExitCode.USAGE if of_options else ExitCode.CONFIG
        return cls(message, hint=hint, code=code, facts={"problems": [asdict(problem) for problem in error.problems]})


class OutputLost(Failure):
    """Data that was to go to standard output is lost: the disk is full, or the stream was closed from the start."""

    def __init__(self, error: OSError) -> None:
        why = "it is closed" if error.errno == errno.EBADF else error.strerror or str(error)
        super().__init__(f"cannot write to standard output: {why}")
