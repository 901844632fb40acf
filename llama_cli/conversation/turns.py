"""One question and its answer, asked, shown and kept: the same for a single one and within a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llama_cli.conversation import saved
from llama_cli.conversation.answers import Answer
from llama_cli.conversation.response_schema import parsed
from llama_cli.conversation.session import Content, Session
from llama_cli.conversation.shown import Shown, writer
from llama_cli.terminal import console
from runtime.config.text import STDIN


@dataclass(kw_only=True)
class Turns:
    """raw: Markdown as it was written; has_schema: an answer is JSON; lasts: more turns follow, so that with `--json`
    each is one line; save_to: a file that holds the conversation after each turn, or `-`: it is printed in place of
    each answer.
    """

    session: Session
    raw: bool = False
    show_reasoning: bool = False
    has_schema: bool = False
    lasts: bool = False
    save_to: str | None = None

    def take(self, content: Content) -> None:
        """Raises Failure, and KeyboardInterrupt when the answer was stopped; what came of it is then kept."""
        is_printed_whole = console.settings.json or self.has_schema or self.save_to == STDIN
        to = None if is_printed_whole else writer(raw=self.raw or not self.session.stream)
        try:
            with Shown(self.session.model, to, show_reasoning=self.show_reasoning) as shown:
                answer = self.session.ask(content, shown.add)
        except KeyboardInterrupt:
            self.keep()
            raise
        if is_printed_whole:
            self._print(answer)
        if reason := answer.cut(self._max_tokens):
            console.say(reason)
        self.keep()

    def keep(self) -> None:
        """For `--continue`, and where it is to be saved."""
        saved.keep(self.session)
        if self.save_to is not None and self.save_to != STDIN:
            saved.save(self.session, self.save_to)

    def _print(self, answer: Answer) -> None:
        if self.save_to == STDIN:
            console.out(saved.document_of(self.session))
            return
        document: Any = {
            "model": self.session.model,
            "content": answer.content,
            "reasoning": answer.reasoning or None,
            "finish_reason": answer.finish_reason,
            "usage": answer.usage,
        }
        if self.has_schema:
            document["parsed"] = parsed(answer)
        if not console.settings.json:
            document = document["parsed"]
        if self.lasts and console.settings.json:
            console.event(document)
        else:
            console.document(document)

    @property
    def _max_tokens(self) -> int | None:
        given = self.session.fields.get("max_completion_tokens")
        return given if isinstance(given, int) else None
