"""How a question is typed where a terminal can do no more than take lines, and what a typed text means.

one line                 Enter ends it
a line that ends in \\    goes on in the next one
three quotes             all lines up to three quotes at the end of one
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import ClassVar, Protocol

from llama_cli.conversation.history import History
from llama_cli.terminal import console, prompts

QUOTES = '"""'
PROMPT, MORE = "> ", ". "


class Entry(Protocol):
    """Where a person types. KEYS: what its keys do, as lines of a table. has_discarded: whether something was typed and
    discarded with Ctrl-C since `read` was called last, as far as that can be told.
    """

    KEYS: ClassVar[str]
    has_discarded: bool

    def read(self) -> str:
        """What was typed. Raises EOFError for Ctrl-D, KeyboardInterrupt for Ctrl-C where nothing is to be discarded."""
        ...

    def meanwhile(self) -> AbstractContextManager[object]:
        """For as long as nothing is read: what is pasted then is one text for the next `read`, if that can be told."""
        ...


def is_open(text: str) -> bool:
    """Whether three quotes have begun and not ended."""
    typed = text.strip()
    return typed.startswith(QUOTES) and (len(typed) < 2 * len(QUOTES) or not typed.endswith(QUOTES))


def is_quoted(text: str) -> bool:
    """Whether it stands in three quotes, and so is no command, whatever it begins with."""
    return text.strip().startswith(QUOTES)


def meant(text: str) -> str:
    """Without the quotes that only say where it begins and ends."""
    typed = text.strip()
    if typed.startswith(QUOTES) and not is_open(typed):
        return typed[len(QUOTES) : -len(QUOTES)].strip("\n")
    return typed


class Lines:
    """An `Entry` of lines, with what `readline` brings, if there is that."""

    KEYS: ClassVar[str] = """\
  Enter          sends; \\ at a line's end begins another line
  \"\"\"            begins and ends several lines, also pasted ones"""

    def __init__(self, history: History) -> None:
        self.has_discarded = False
        self._history = history
        with suppress(ImportError):
            import readline

            for entry in history.entries():
                readline.add_history(entry)

    def meanwhile(self) -> AbstractContextManager[object]:
        return nullcontext()

    def read(self) -> str:
        try:
            text = prompts.ask(PROMPT)
        except (EOFError, KeyboardInterrupt):
            console.tell("")
            raise
        while is_open(text) or text.endswith("\\"):
            try:
                more = prompts.ask(MORE)
            except KeyboardInterrupt:
                console.tell("")
                return ""
            text = f"{text if is_open(text) else text[:-1]}\n{more}"
        if text.strip():
            self._history.add(text)
        return text
