"""autoevals over models of this stack: the one place that imports it, which takes a third of a second.

What a judge says comes as the arguments of a function that it is made to call. The library takes it as it is, so that
whatever does not fit raises something in there.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

import autoevals
from autoevals.oai import LLMClient
from autoevals.string import EmbeddingSimilarity

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import EXPECTED, GENERATED, INPUT
from runtime.apis.scoring.protocol import SCORE
from runtime.errors import StackError
from runtime.providers.scoring._asking import Asking
from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.braintrust.config import BraintrustModels
from runtime.providers.scoring.braintrust.scorers import CONTEXT, Scorer
from runtime.sse import Json

T = TypeVar("T")
log = logging.getLogger(__name__)
_YES_OR_NO = ("verdict", "attributed", "noncommittal")
"""What the library counts as 0 or 1, and asks for as any whole number."""
_MOST_WORDS = 200


class _KeepsNothing(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        pass


EmbeddingSimilarity._CACHE = _KeepsNothing()  # it keeps what it has embedded for ever, whoever asked for it


class _Never(Exception):
    """What the library would wait for, where we have waited already."""


class ModelsOfRow(LLMClient):  # type: ignore[misc]  # the library has no types
    """The models of this stack, for the thread in which one row is scored. loop: where they are asked. said: what the
    judge has said so far.
    """

    def __init__(self, asking: Asking, loop: asyncio.AbstractEventLoop) -> None:
        """Without the library's own, which imports OpenAI's package and looks for Braintrust's."""
        self.openai, self.is_async, self._is_wrapped = None, False, False
        self.complete, self.embed, self.RateLimitError = self._complete, self._embed, _Never
        self.said: list[str] = []
        self._asking = asking
        self._loop = loop
        self._embeddings: dict[str, list[float]] = {}
        self._waiting: Future[Any] | None = None
        self._is_left = False

    def leave(self) -> None:
        """Let the thread end: nobody waits for its row any more."""
        self._is_left = True
        if self._waiting is not None:
            self._waiting.cancel()

    def _complete(self, **body: Any) -> Json:
        [tool] = body.pop("tools")
        function = {**tool["function"], "parameters": _exact(tool["function"]["parameters"])}
        tools = [{**tool, "function": function}]
        answer = self._wait(self._asking.chat({**body, "tools": tools}, param="judge_model"))
        calls = answer.message.get("tool_calls") or ()
        arguments = calls[0]["function"]["arguments"] if calls else answer.text
        self.said.append(arguments)
        _check(json.loads(arguments))
        call = {"function": {"name": function["name"], "arguments": arguments}}
        return {"choices": [{"message": {"tool_calls": [call]}}]}

    def _embed(self, *, input: str, model: str) -> Json:
        if input not in self._embeddings:
            asked = self._asking.embedding(input, model=model, param="embedding_model")
            self._embeddings[input] = self._wait(asked)
        return {"data": [{"embedding": self._embeddings[input]}]}

    def _wait(self, asked: Coroutine[Any, Any, T]) -> T:
        self._waiting = asyncio.run_coroutine_threadsafe(asked, self._loop)
        if self._is_left:
            self._waiting.cancel()
        found: T = self._waiting.result()
        return found


def scored(scorer: Scorer, models: BraintrustModels, texts: Mapping[str, str], client: ModelsOfRow) -> Row:
    """The result of a row. Called in a thread, and in a context of its own: the library has its settings there.

    Raises NotScored, and RequestError for a model that cannot be asked.
    """
    defaults = {"completion": models.judge_model or "", "embedding": models.embedding_model or ""}
    autoevals.init(client=client, default_model=defaults)
    others = {name: texts[column] for name, column in (("input", INPUT), ("context", CONTEXT)) if column in texts}
    try:
        score = getattr(autoevals, scorer.class_name)().eval(texts.get(GENERATED, ""), texts.get(EXPECTED), **others)
    except (NotScored, StackError):
        raise
    except ZeroDivisionError:
        raise NotScored("The judge has found nothing that could be counted", said="\n".join(client.said)) from None
    except Exception as error:  # whatever the library meets in an answer
        log.warning("a scorer of autoevals failed", extra={"scorer": scorer.name}, exc_info=error)
        words = f"{type(error).__name__}: {str(error)[:_MOST_WORDS]}"
        raise NotScored(f"The judge's answer does not fit the scorer ({words})", said="\n".join(client.said)) from error
    if score.score is None:
        raise NotScored("The scorer gives no score", said="\n".join(client.said))
    return {SCORE: float(score.score), "metadata": _plain(score.metadata)}


def _exact(schema: Any) -> Any:
    """The schema of a function with 0 and 1 where only these can be meant."""
    if isinstance(schema, list):
        return [_exact(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {**inner, "enum": [0, 1]} if name in _YES_OR_NO and isinstance(inner, dict) else _exact(inner)
        for name, inner in schema.items()
    }


def _check(said: Any) -> None:
    """Raises ValueError for another number where only 0 and 1 can be meant."""
    for name, value in said.items() if isinstance(said, dict) else ():
        if name in _YES_OR_NO and value not in (0, 1):
            raise ValueError(f"`{name}` is {json.dumps(value)}, neither 0 nor 1")
        _check(value)
    for one in said if isinstance(said, list) else ():
        _check(one)


def _plain(value: Any) -> Any:
    """What the library tells of a score, as JSON has it: some of it are scores themselves."""
    if isinstance(value, autoevals.Score):
        return _plain(value.as_dict())
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
