"""A conversation, turn by turn: with a person at a terminal, or with a program that sends lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress

from llama_cli.conversation import models, saved
from llama_cli.conversation.attachments import Attachment, content_of
from llama_cli.conversation.entry import Entry, Lines, is_quoted, meant
from llama_cli.conversation.history import History
from llama_cli.conversation.session import Session
from llama_cli.conversation.slash import Slash
from llama_cli.conversation.turns import Turns
from llama_cli.exits import Failure
from llama_cli.terminal import console
from runtime.errors import StackError

_HISTORY = "history"


def with_person(turns: Turns, attached: list[Attachment]) -> None:
    """Read, answer, repeat until Ctrl-D or `/exit`. attached: files for the first question.

    Raises KeyboardInterrupt for Ctrl-C where nothing is typed, twice in a row.
    """
    session = turns.session
    console.say(f"talking to {session.model} at {session.url}\n/help explains what can be typed")
    if session.messages:
        console.say(saved.summary(session))
    entry = _entry(session)  # once there is something to read: an editor takes a while to be imported
    slash = Slash(session, attached, entry.KEYS)
    has_wanted_out = False
    while True:
        is_at_prompt = True
        try:
            typed = entry.read()
            is_at_prompt = has_wanted_out = False
            text = meant(typed)
            if text and (is_quoted(typed) or not slash.obey(text)):
                with entry.meanwhile():
                    _answer(turns, text, attached)
        except EOFError:
            return
        except KeyboardInterrupt:
            if has_wanted_out and not entry.has_discarded:
                raise
            has_wanted_out = is_at_prompt
            console.say("Ctrl-C again ends, as Ctrl-D and /exit do" if is_at_prompt else "(cut short)")
        except Failure as failure:
            console.failure(failure)
        except StackError as error:  # a file that is not there, for example
            console.failure(Failure.from_error(error))


def with_lines(turns: Turns, lines: Iterable[str], attached: list[Attachment]) -> None:
    """Answer each line. Raises Failure for the first that cannot be answered."""
    for line in lines:
        if text := line.strip():
            _answer(turns, text, attached)


def _answer(turns: Turns, text: str, attached: list[Attachment]) -> None:
    turns.take(content_of(text, attached))
    attached.clear()


def _entry(session: Session) -> Entry:
    """An editor where the terminal can draw one, lines otherwise."""
    history = History(None)
    with suppress(StackError):  # without a home there is nothing to remember it in
        history = History(saved.folder() / _HISTORY)
    if console.is_terminal(sys.stderr) and os.name == "posix":
        from llama_cli.conversation.editor import Editor

        return Editor(history, Slash.helps(), lambda: models.of_kind(session.url, "llm"))
    return Lines(history)
