"""What a person is asked: a line of text, or a yes. Never where nobody can answer."""

from __future__ import annotations

import os
import sys

from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal.console import is_any_terminal, settings
from runtime.stdio import printable


def can_ask(*, with_json: bool = False) -> bool:
    """Whether a person can answer a prompt: both ends are a terminal, and neither `--no-input` nor `CI` forbids it;
    nor `--json`, unless the prompt is what the command is for.
    """
    is_wanted = not (settings.no_input or (settings.json and not with_json) or os.environ.get("CI"))
    return is_wanted and is_any_terminal(sys.stdin) and is_any_terminal(sys.stderr)


def ask(prompt: str) -> str:
    """A line that the user types. Raises EOFError at the end. The prompt never goes into a pipe."""
    if is_any_terminal(sys.stdout):
        return input(prompt)
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return input()


def confirm(question: str, *, yes: bool) -> None:
    """Let a person agree to what cannot be taken back. yes: they have, with `--yes`.

    question: what will happen, and to how much, without a question mark. Raises Failure where they do not agree, and
    (USAGE) where nobody can be asked.
    """
    if yes:
        return
    if not can_ask():
        raise Failure(f"{question}: that needs a yes", hint="add `--yes`", code=ExitCode.USAGE)
    sys.stderr.write(printable(f"{question}? [y/N] "))
    sys.stderr.flush()
    try:
        answer = input()
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise Failure("nothing was changed")
