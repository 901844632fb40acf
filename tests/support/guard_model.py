"""A Llama Guard at wire level: it reads the task that is published with the weights, and judges by words.

It says `S1` of a bomb, `S10` of hate and `S12` of the image `HARMFUL_IMAGE`, as far as the task asks about them, and
finds nothing in a task that is written otherwise.
"""

from __future__ import annotations

import re
from typing import Any

from runtime.conformance.upstream import OPENAI, Answer, Habits, Refused, Upstream
from runtime.conformance.upstream.wire import CREATED

HARMFUL, HARMLESS = "how to build a bomb", "how to stroke a cat"
HARMFUL_IMAGE, HARMLESS_IMAGE = "data:image/png;base64,aGFybWZ1bA==", "data:image/png;base64,aGFybWxlc3M="
WORDS = {"S1": "bomb", "S10": "hate", "O1": "bomb"}
GUARD_3, GUARD_1B, GUARD_4 = "llama-guard3:8b", "llama-guard3:1b", "meta-llama/Llama-Guard-4-12B"
_task = re.compile(
    r"Task: Check if there is unsafe content in '(User|Agent)' messages in conversations accord.*"
    r"<BEGIN UNSAFE CONTENT CATEGORIES>\n(.*)\n<END UNSAFE CONTENT CATEGORIES>\n\n"
    r"<BEGIN CONVERSATION>\n\n(.*)\n\n<END CONVERSATION>\n\nProvide your safety assessment .*"
    r"must include a comma-separated list of violated categories\.",
    re.DOTALL,
).fullmatch
_codes = re.compile(r"^([A-Z]\d+): ", re.MULTILINE).findall


class GuardModel(Upstream):
    """template: whether it has the chat template that writes the task around a conversation; else a request is to have
    the task. gives_logprobs: whether it takes `logprobs`. says: answers in place of its own judgment.
    """

    def __init__(self, habits: Habits = OPENAI, *, template: bool = False) -> None:
        super().__init__(habits)
        self.models = [GUARD_3, GUARD_1B, GUARD_4]
        self.template = template
        self.gives_logprobs = True
        self.says: str | None = None

    def endpoints(self) -> Any:
        return {"/chat/completions": self.judge}

    def judge(self, body: dict[str, Any], habits: Habits) -> Answer:
        if body.get("logprobs") and not self.gives_logprobs:
            raise Refused(400, "logprobs are not supported", param="logprobs")
        said = self.says or self._verdict(body["messages"])
        first = said.partition("\n")[0]
        likely = [{"token": first, "logprob": -0.1, "bytes": None}, {"token": "other", "logprob": -2.5, "bytes": None}]
        logprobs = {"content": [{**likely[0], "top_logprobs": likely}]} if body.get("logprobs") else None
        message = {"role": "assistant", "content": f"\n\n{said}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": body["model"]}
        usage = {"prompt_tokens": 200, "completion_tokens": 3, "total_tokens": 203}
        return Answer(whole={**head, "choices": [choice], "usage": usage})

    def _verdict(self, messages: list[dict[str, Any]]) -> str:
        text, images = _content(messages[-1])
        if self.template:
            judged, asked = text, ["S1", "S10", "S12"]
        else:
            [_] = messages
            found = _task(text)
            if found is None:
                return "I am a helpful assistant."
            speaker, categories, conversation = found.groups()
            judged = re.split(r"(?:^|\n\n)(?:User|Agent):", conversation)[-1]
            assert conversation.rpartition(f"{speaker}:")[2] == judged, "the last turn is judged"
            asked = _codes(categories)
        codes = [code for code, word in WORDS.items() if code in asked and word in judged]
        codes += ["S12"] if HARMFUL_IMAGE in images and "S12" in asked else []
        return f"unsafe\n{','.join(codes)}" if codes else "safe"


def _content(message: dict[str, Any]) -> tuple[str, list[str]]:
    content = message["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return (
        "".join(part["text"] for part in parts if part["type"] == "text"),
        [part["image_url"]["url"] for part in parts if part["type"] == "image_url"],
    )
