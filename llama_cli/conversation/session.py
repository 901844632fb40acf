"""A conversation with a model: what was said, and asking for what comes next. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from llama_cli.conversation import answers, models
from llama_cli.conversation.answers import Answer
from llama_cli.exits import Failure

Message = dict[str, Any]
Content = str | list[dict[str, Any]]

INTERRUPTED = "interrupted"
"""In a message of ours: the answer was stopped before its end. Never sent."""


@dataclass(kw_only=True)
class Session:
    """url: the server; fields: of each request, beside model and messages; messages: what was said so far, in OpenAI's
    form, an answer that was stopped with `interrupted: true`.
    """

    url: str
    model: str
    fields: dict[str, Any] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    stream: bool = True

    @property
    def system(self) -> str | None:
        """What the model reads first."""
        return text_of(self.messages[0]) if self._begins_with_system() else None

    @system.setter
    def system(self, text: str | None) -> None:
        rest = self.messages[1:] if self._begins_with_system() else self.messages
        self.messages = [*([{"role": "system", "content": text}] if text else []), *rest]

    def clear(self) -> None:
        """Forget what was said, but not what the model reads first."""
        self.messages = self.messages[:1] if self._begins_with_system() else []

    def _begins_with_system(self) -> bool:
        return bool(self.messages) and self.messages[0].get("role") == "system"

    def ask(self, content: Content, show: Callable[[Answer], None]) -> Answer:
        """Send a message, hand each part of the answer to `show`, and return all of it.

        Raises Failure; question and answer are then not part of the conversation. On KeyboardInterrupt they are, as far
        as the answer came.
        """
        asked = [*self.messages, {"role": "user", "content": content}]
        body = {"model": self.model, "messages": [_sent(message) for message in asked], **self.fields}
        answer = Answer()
        try:
            with closing(answers.parts(self.url, answers.CHAT, body, stream=self.stream)) as coming:
                for part in coming:
                    answer.add(part)
                    show(part)
        except KeyboardInterrupt:
            if answer.content:
                self.messages = [*asked, {**_said(answer), INTERRUPTED: True}]
            raise
        except Failure as failure:
            raise models.explained(failure, self.url, self.model, "llm") from failure.__cause__
        self.messages = [*asked, _said(answer)]
        return answer


def text_of(message: Message) -> str:
    """The text of a message, whose content can be parts; those that are no text are left out."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _said(answer: Answer) -> Message:
    return {"role": "assistant", "content": answer.content}


def _sent(message: Message) -> Message:
    return {name: value for name, value in message.items() if name != INTERRUPTED}
