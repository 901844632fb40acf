"""One question and its answer, asked, shown and kept: the same for a single one and within a conversation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llama_cli.conversation import approvals, saved
from llama_cli.conversation.answers import Answer, ToolCall
from llama_cli.conversation.response_schema import ResponseSchema
from llama_cli.conversation.session import Content, Session
from llama_cli.conversation.shown import Shown, writer
from llama_cli.terminal import console
from runtime.config.text import STDIN


@dataclass(kw_only=True)
class Turns:
    """raw: Markdown as it was written; schema: what the JSON of an answer has to fit, if it is JSON; lasts: more turns
    follow, so that with `--json` each is one line; converses: a person sits at a terminal, also with `--json`; save_to:
    a file that holds the conversation after each turn, or `-`: it is printed in place of each answer.
    """

    session: Session
    raw: bool = False
    show_reasoning: bool = False
    schema: ResponseSchema | None = None
    lasts: bool = False
    converses: bool = False
    save_to: str | None = None

    def take(self, content: Content) -> None:
        """Raises Failure, and KeyboardInterrupt when the answer was stopped; what came of it is then kept."""
        is_printed_whole = console.settings.json or self.schema is not None or self.save_to == STDIN
        to = None if is_printed_whole else writer(raw=self.raw or not self.session.stream)
        try:
            with Shown(self.session.model, to, show_reasoning=self.show_reasoning) as shown:
                answer = self.session.ask(content, shown.add, lambda call: self._allow(call, shown))
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

    def _allow(self, call: ToolCall, shown: Shown) -> bool:
        with shown.aside():
            return approvals.ask(call, self.session.tools.allowed, with_json=self.converses)

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
        if self.session.tools.servers:
            document["tool_calls"] = _shown(answer.calls)
        if self.schema is not None:
            document["parsed"] = self.schema.parsed(answer)
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


def _shown(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Calls as `--json` has them: what they were given as JSON, where it is that."""
    found = []
    for call in calls:
        try:
            arguments = json.loads(call.arguments)
        except ValueError:
            arguments = call.arguments
        found.append({**asdict(call), "arguments": arguments})
    return found
