"""How a question is typed on a terminal that can draw: several lines, pastes, history and completion.

The only place that imports prompt_toolkit, which is imported where a conversation is held on such a terminal only.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread
from typing import ClassVar

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import History as ToolkitHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from llama_cli.conversation.entry import MORE, PROMPT, is_open
from llama_cli.conversation.history import History
from llama_cli.exits import Failure
from llama_cli.terminal import console

_KNOWN_S, _PATIENCE_S = 10.0, 0.5


class Editor:
    """An `Entry`. commands: slash commands, each with its help; models: ids, asked for when one is to be completed."""

    KEYS: ClassVar[str] = """\
  Enter          sends; Alt+Enter, or \\ at a line's end, begins another line
  \"\"\"            begins and ends several lines; a paste is one question"""

    def __init__(self, history: History, commands: Mapping[str, str], models: Callable[[], list[str]]) -> None:
        # On standard error, so that standard output has nothing but answers. Without asking where the cursor is: the
        # reply would be read by whoever reads next.
        self._output = Vt100_Output(sys.stderr, _size, term=os.environ.get("TERM"), enable_cpr=False)
        self.has_discarded = False
        self._session: PromptSession[str] = PromptSession(
            PROMPT,
            multiline=True,
            prompt_continuation=MORE,
            history=_Kept(history),
            completer=_Completions(commands, models),
            complete_in_thread=True,
            # Only then is space kept free for what can be chosen.
            complete_while_typing=Condition(lambda: self._session.default_buffer.text.startswith("/")),
            reserve_space_for_menu=len(commands) + 1,
            key_bindings=_keys(self._discard),
            output=self._output,
            color_depth=None if console.has_color(sys.stderr) else ColorDepth.MONOCHROME,
        )

    def read(self) -> str:
        self.has_discarded = False
        return self._session.prompt()

    def _discard(self) -> None:
        self.has_discarded = True
        self._session.default_buffer.reset()

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        self._output.enable_bracketed_paste()
        self._output.flush()
        try:
            yield
        finally:
            self._output.disable_bracketed_paste()
            self._output.flush()


def _size() -> Size:
    columns, rows = console.terminal_size(sys.stderr)
    return Size(rows=rows, columns=columns)


def _keys(discard: Callable[[], None]) -> KeyBindings:
    """discard: empties what is typed."""
    keys = KeyBindings()

    @keys.add("enter")
    def enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None  # what was chosen is in place already
        elif is_open(buffer.text):
            buffer.insert_text("\n")
        elif buffer.document.current_line_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("tab")
    def complete(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state:
            buffer.complete_next()
            return
        found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
        if len(found) == 1:
            buffer.apply_completion(found[0])
        else:
            buffer.start_completion(select_first=True)

    @keys.add("escape", "enter")
    def another_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    @keys.add("<sigint>")
    def interrupt(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            discard()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    return keys


class _Kept(ToolkitHistory):
    """Our history, as the toolkit asks for it."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history

    def load_history_strings(self) -> Iterable[str]:
        return reversed(self._history.entries())

    def store_string(self, string: str) -> None:
        if string.strip():
            self._history.add(string)


class _Completions(Completer):
    """Slash commands, then what each of them takes."""

    def __init__(self, commands: Mapping[str, str], models: Callable[[], list[str]]) -> None:
        self._commands = commands
        self._models = models
        self._known: list[str] = []
        self._known_until = 0.0
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        typed = document.text_before_cursor
        if not typed.startswith("/") or "\n" in typed:
            return
        command, has_more, rest = typed.partition(" ")
        if not has_more:
            for name, help_text in self._commands.items():
                if name.startswith(command):
                    yield Completion(name, start_position=-len(command), display_meta=help_text)
        elif command == "/model":
            for model in self._known_models():
                if rest.lower() in model.lower():
                    yield Completion(model, start_position=-len(rest))
        elif command in ("/file", "/load", "/save"):
            yield from self._paths.get_completions(Document(rest, len(rest)), complete_event)

    def _known_models(self) -> list[str]:
        """Asked for once in a while, not for each key, which waits for a moment at most; none where the server does
        not answer.
        """
        if time.monotonic() > self._known_until:
            self._known_until = time.monotonic() + _KNOWN_S
            asking = Thread(target=self._ask, name="models", daemon=True)
            asking.start()
            asking.join(_PATIENCE_S)
        return self._known

    def _ask(self) -> None:
        with suppress(Failure):
            self._known = self._models()
