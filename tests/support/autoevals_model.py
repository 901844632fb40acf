"""A judge at wire level for the prompts of autoevals: it calls the function that it has to call, and judges by whether
one text has the other in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from runtime.conformance.upstream import CHAT_MODEL, OPENAI, Answer, Habits, Upstream
from runtime.conformance.upstream.wire import CREATED

JUDGE = CHAT_MODEL
_field = re.compile(r"^\[?(\w[\w ]*?)\]?: (.*)$", re.MULTILINE).findall
Json = dict[str, Any]


def fields_of(body: Json) -> dict[str, str]:
    """The texts that it is asked about, by the names that the prompt has for them."""
    [message] = body["messages"]
    task = message["content"].rpartition("Your actual task:")[2].rpartition("[BEGIN DATA]")[2]
    return dict(_field(task.partition("[END DATA]")[0]))


class AutoevalsModel(Upstream):
    """says: in place of its own judgment, the arguments as text, or the members of a message."""

    def __init__(self, habits: Habits = OPENAI) -> None:
        super().__init__(habits)
        self.says: Callable[[Json], str | Json] = judged

    def endpoints(self) -> Any:
        return {**super().endpoints(), "/chat/completions": self.judge}

    def judge(self, body: Json, habits: Habits) -> Answer:
        said = self.says(body)
        function = body["tool_choice"]["function"]["name"]
        call = {"id": "call_1", "type": "function", "function": {"name": function, "arguments": said}}
        message = said if isinstance(said, dict) else {"content": None, "tool_calls": [call]}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": body["model"]}
        choice = {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", **message}}
        usage = {"prompt_tokens": 200, "completion_tokens": 3, "total_tokens": 203}
        return Answer(whole={**head, "choices": [choice], "usage": usage})


def judged(body: Json) -> str:
    """Its own judgment, as the arguments of the function that it is made to call."""
    return json.dumps(_arguments(body["tool_choice"]["function"]["name"], fields_of(body)))


def _arguments(function: str, given: dict[str, str]) -> Json:
    def has(whole: str, part: str) -> bool:
        return given.get(part, "-") in given.get(whole, "")

    if function == "select_choice":
        return {"reasons": "by its words", "choice": "C" if has("Submission", "Expert") else "D"}
    if function == "classify_statements":
        answer, truth = [given.get("answer", "")], [given.get("ground_truth", "")]
        return {"TP": answer, "FP": [], "FN": []} if answer == truth else {"TP": [], "FP": answer, "FN": truth}
    if function == "generate_question":
        return {"question": "Which animal grazes?" if has("context", "answer") else "?", "noncommittal": 0}
    if function == "verify":
        return {"reason": "by its words", "verdict": int(has("context", "answer"))}
    if function == "extract_entities":
        return {"entities": [word for word in given.get("text", "").split() if word.istitle()]}
    if function == "extract_sentences":
        context = given.get("context", "")
        return {"sentences": [{"sentence": context, "reasons": ["it grazes"]}] if "grazes" in context else []}
    if function == "judge_statements":
        return {"faithfulness": [{"statement": "one", "verdict": int(_quoted(given)), "reason": "by its words"}]}
    assert function == "extract_statements", function
    if "context" in given:
        return {"statements": [{"statement": "one", "attributed": int(has("context", "answer")), "reason": "so"}]}
    return {"statements": [given.get("answer", "")]}


def _quoted(given: dict[str, str]) -> bool:
    """Whether the context has the one statement, which the library writes as Python does."""
    return given.get("statements", "").strip("[]'\"") in given.get("context", "")
