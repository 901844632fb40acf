"""Conversations as files: one JSON document, `{"model": ..., "messages": [...]}`, as a server is sent it.

    <llama home>/chat/last.json     what `--continue` goes on with
    <llama home>/chat/history       the questions that were typed
    <llama home>/chat/<time>.json   what `/save` writes without a name

Private, and each written as a whole.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from llama_cli.conversation.session import Message, Session, text_of
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console, words
from runtime.config.home import atomic_write, expanded, llama_home
from runtime.config.text import as_meant, is_stdin, is_stream, read_text, shown
from runtime.errors import ConfigInvalid, NotFound, StackError

_SHOWN = 40
_ROLES = ("system", "developer", "user", "assistant", "tool")


@dataclass(frozen=True)
class Saved:
    """model: None where the document names none."""

    model: str | None
    messages: list[Message]


def folder() -> Path:
    return llama_home() / "chat"


def load(name: str) -> Saved:
    """A conversation in a file; `-` is standard input; a list of messages is one too. Raises NotFound, AccessDenied,
    and Failure (USAGE) for what is none.
    """
    try:
        text = read_text(as_meant(name), what="conversation")
        found = _read(text)
    except ConfigInvalid as error:
        raise Failure.of_unreadable(error) from error
    if found is None:
        hint = '`llama chat --save FILE` makes one: `{"model": ..., "messages": [{"role": "user", "content": ...}]}`'
        raise Failure(f"`{shown(name)}` holds no conversation", hint=hint, code=ExitCode.USAGE)
    return found


def last() -> Saved:
    """The conversation that was had last. Raises Failure (USAGE) where there is none."""
    try:
        return load(str(folder() / "last.json"))
    except NotFound as error:
        hint = 'begin one: `llama chat "Hi"`'
        raise Failure("there is no conversation to continue", hint=hint, code=ExitCode.USAGE) from error


def save(session: Session, name: str | None = None) -> Path:
    """Write a conversation, by default under the present time. Returns the file. Raises Failure as `place` does, and
    where it cannot be written.
    """
    path = _free_place() if name is None else place(name)
    try:
        atomic_write(path, document_of(session) + "\n")
    except PermissionError as error:
        raise _forbidden(path) from error
    except OSError as error:
        raise Failure(f"cannot write `{path}`: {error.strerror}") from error
    return path


def _free_place() -> Path:
    """A file that is not there yet, named after the present time: two can be saved within a second."""
    now = time.strftime("%Y-%m-%dT%H-%M-%S")
    names = chain([now], (f"{now}-{number}" for number in count(2)))
    return next(path for path in (folder() / f"{name}.json" for name in names) if not path.exists())


def place(name: str) -> Path:
    """Where a conversation is to be saved. Raises Failure where it cannot be, or where there is a file already that is
    no conversation.
    """
    path = expanded(name)
    if not name or is_stdin(name) or is_stream(name) or path.is_dir():
        raise Failure(f"`{name}` is no file", hint="name a file to write to", code=ExitCode.USAGE)
    if path.is_file() and not _is_conversation(path):
        hint = "choose another name, or remove it first"
        raise Failure(f"`{path}` is there, and is no conversation", hint=hint, code=ExitCode.CONFLICT)
    if not path.parent.is_dir():
        raise Failure(f"there is no folder `{path.parent}`", hint=f"make it: `mkdir -p {path.parent}`")
    if not os.access(path.parent, os.W_OK):
        raise _forbidden(path)
    return path


def summary(session: Session) -> str:
    """How far a conversation has come, in a line."""
    questions = [text_of(message) for message in session.messages if message["role"] == "user"]
    so_far = f"{words.counted(len(questions), 'question')} so far"
    last = " ".join(questions[-1].split()) if questions else ""
    return f"{so_far}, the last: {last[:_SHOWN]}{'…' if len(last) > _SHOWN else ''}" if last else so_far


def keep(session: Session) -> None:
    """Note it as the last one. Without a home that can be written to, it is simply not kept."""
    try:
        atomic_write(folder() / "last.json", document_of(session) + "\n")
    except (OSError, StackError) as error:
        console.detail(f"the conversation is not kept: {error}")


def document_of(session: Session) -> str:
    """A conversation as the text of a file."""
    document = {"model": session.model, "messages": session.messages}
    return json.dumps(document, ensure_ascii=False, indent=2).encode(errors="replace").decode()


def _forbidden(path: Path) -> Failure:
    return Failure(f"you may not write `{path}`", hint="choose another place", code=ExitCode.ACCESS)


def _is_conversation(path: Path) -> bool:
    with suppress(ConfigInvalid):
        return _read(read_text(path)) is not None
    return False


def _read(text: str) -> Saved | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    stated: dict[str, Any] = {"messages": document} if isinstance(document, list) else document
    if not isinstance(stated, dict) or not isinstance(messages := stated.get("messages"), list):
        return None
    if not all(isinstance(one, dict) and one.get("role") in _ROLES for one in messages):
        return None
    model = stated.get("model")
    return Saved(model if isinstance(model, str) and model else None, messages)
