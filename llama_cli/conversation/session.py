"""A conversation with a model: what was said, and asking for what comes next. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from llama_cli.conversation import answers, items, models, responses
from llama_cli.conversation.answers import Answer, ToolCall
from llama_cli.conversation.items import ITEMS
from llama_cli.conversation.mcp_tools import Tools
from llama_cli.exits import Failure

Message = dict[str, Any]
Content = str | list[dict[str, Any]]

INTERRUPTED = "interrupted"
"""In a message of ours: the answer was stopped before its end. Never sent."""
_OURS = (INTERRUPTED, ITEMS)


@dataclass(kw_only=True)
class Session:
    """url: the server; fields: of each request, beside model and messages; messages: what was said so far, in OpenAI's
    form, an answer that was stopped with `interrupted: true`. tools: what the model may call.
    """

    url: str
    model: str
    fields: dict[str, Any] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    stream: bool = True
    tools: Tools = field(default_factory=Tools)

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

    def ask(self, content: Content, show: Callable[[Answer], None], allow: Callable[[ToolCall], bool]) -> Answer:
        """Send a message, hand each part of the answer to `show`, and return all of it. allow: whether a call may be
        made that somebody has to allow.

        Raises Failure; question and answer are then not part of the conversation. On KeyboardInterrupt they are, as far
        as the answer came.
        """
        asked = [*self.messages, {"role": "user", "content": content}]
        answer = Answer()
        try:
            if self.tools.servers or any(map(items.has_documents, asked)):
                self._respond(asked, answer, show, allow)
            else:
                body = {"model": self.model, "messages": [_sent(message) for message in asked], **self.fields}
                with closing(answers.parts(self.url, answers.CHAT, body, stream=self.stream)) as coming:
                    for part in coming:
                        answer.add(part)
                        show(part)
        except KeyboardInterrupt:
            if answer.content or answer.items:
                self.messages = [*asked, {**_said(answer), INTERRUPTED: True}]
            raise
        except Failure as failure:
            raise models.explained(failure, self.url, self.model, "llm") from failure.__cause__
        self.messages = [*asked, _said(answer)]
        return answer

    def _respond(
        self,
        asked: list[Message],
        answer: Answer,
        show: Callable[[Answer], None],
        allow: Callable[[ToolCall], bool],
    ) -> None:
        """Ask for a response, and for another one where something had to be allowed. answer: gets all of them."""
        fields = items.fields_of(self.fields)
        given, others = items.items_of(asked), fields.pop("tools", None) or []
        used: Mapping[str, Any] | None = None
        while True:
            since, answer.usage = len(answer.items), None
            body = {"model": self.model, "input": [*given, *items.going_on(answer.items)], "store": False, **fields}
            if tools := [*others, *self.tools.asked()]:
                body["tools"] = tools
            with closing(responses.parts(self.url, body, stream=self.stream)) as coming:
                for part in coming:
                    answer.add(part)
                    show(part)
            used = answer.usage = _together(used, answer.usage)
            requests = [item for item in answer.items[since:] if item["type"] == "mcp_approval_request"]
            if not requests:
                return
            answer.items += [items.approval(item, is_allowed=allow(responses.call_of(item))) for item in requests]


def text_of(message: Message) -> str:
    """The text of a message, whose content can be parts; those that are no text are left out."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _said(answer: Answer) -> Message:
    """What is kept of an answer; items only where they say more than its text."""
    message: Message = {"role": "assistant", "content": answer.content}
    if any(item["type"] != "message" for item in answer.items):
        message[ITEMS] = items.going_on(answer.items)
        is_cut = answer.last not in ("", *(items.text_of(one) for one in answer.items if one["type"] == "message"))
        if is_cut:
            message[ITEMS].append({"type": "message", "role": "assistant", "content": answer.last})
    return message


def _sent(message: Message) -> Message:
    return {name: value for name, value in message.items() if name not in _OURS}


def _together(used: Mapping[str, Any] | None, more: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What several responses have used, where all of them say so."""
    if used is None or more is None:
        return more if used is None else used
    return {name: count + used.get(name, 0) for name, count in more.items()}
