"""A judge at wire level: it reads what stands between the marks of a prompt, and judges by words.

An answer with `good` in it is right and has the best score, any other the worst; of two, the one with `good` is better.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from runtime.conformance.upstream import OPENAI, Answer, Habits, Upstream
from runtime.conformance.upstream.wire import CREATED

JUDGE = "judge-large"
_marked = re.compile(r"<(\w[\w .-]*) ([0-9a-f]{16})>\n(.*?)\n</\1 \2>", re.DOTALL).findall


def prompt_of(body: dict[str, Any]) -> str:
    [message] = body["messages"]
    assert message["role"] == "user"
    text: str = message["content"]
    return text


def texts_of(body: dict[str, Any]) -> dict[str, str]:
    """What stands between marks, by name."""
    return {name: text for name, _, text in _marked(prompt_of(body))}


class JudgeModel(Upstream):
    """says: answers in place of its own judgment, as text, or as the members of a choice. most_at_once: how many
    requests it has had at a time. together: where it is set, it answers once so many have come.
    """

    def __init__(self, habits: Habits = OPENAI) -> None:
        super().__init__(habits)
        self.models = [JUDGE]
        self.says: Callable[[dict[str, Any]], str | dict[str, Any]] = judged
        self.most_at_once = self._now = 0
        self.together = 0
        self._all_here = asyncio.Event()

    def endpoints(self) -> Any:
        return {**super().endpoints(), "/chat/completions": self.judge}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return await super().serve(request)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        if self._now >= self.together:
            self._all_here.set()
        try:
            await self._all_here.wait()
            return await super().serve(request)
        finally:
            self._now -= 1

    def judge(self, body: dict[str, Any], habits: Habits) -> Answer:
        said = self.says(body)
        choice = said if isinstance(said, dict) else {"message": {"role": "assistant", "content": said}}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": body["model"]}
        usage = {"prompt_tokens": 200, "completion_tokens": 3, "total_tokens": 203}
        whole = {**head, "choices": [{"index": 0, "finish_reason": "stop", **choice}], "usage": usage}
        return Answer(whole=whole)


def judged(body: dict[str, Any]) -> str:
    """Its own judgment, in the form that is asked for."""
    texts = texts_of(body)
    if "response_format" not in body:
        return f"I have read it. Score: {5 if 'good' in texts['generated_answer'] else 1}"
    wanted = body["response_format"]["json_schema"]["schema"]["properties"]
    return json.dumps({"reasoning": "by its words", **_verdict(texts, wanted)})


def _verdict(texts: dict[str, str], wanted: dict[str, Any]) -> dict[str, Any]:
    if "score" in wanted:
        best, worst = wanted["score"].get("maximum", 1), wanted["score"].get("minimum", 0)
        return {"score": best if "good" in texts["generated_answer"] else worst}
    if "first_answer" in texts:
        first, second = "good" in texts["first_answer"], "good" in texts["second_answer"]
        return {"verdict": "tie" if first == second else "first" if first else "second"}
    return {"verdict": "correct" if "good" in texts["generated_answer"] else "incorrect"}
