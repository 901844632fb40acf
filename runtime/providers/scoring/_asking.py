"""Asks models of this stack on behalf of rows: at the pace that they keep up with, and with whose failure it is when
one does not answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from runtime.apis.inference.embeddings import EmbeddingsRequest
from runtime.apis.inference.protocol import ChatCompletionRequest, Inference
from runtime.apis.inference.sense import making_sense, text_of
from runtime.apis.models import Models
from runtime.context import current, serving
from runtime.errors import RateLimited, RequestError, StackError, UpstreamRejected
from runtime.provider import ProviderContext
from runtime.providers._background.asking import Paces, patiently
from runtime.providers.scoring._not_scored import NotScored
from runtime.sse import Json, Reply, encode

_TEMPERATURE = "temperature"
_MOST_REMEMBERED = 1000


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer that is whole. message: that of its first choice."""

    text: str
    message: Mapping[str, Any]


class Asking:
    """at_once: how many requests of ours a provider of models has at a time. max_tokens: the most of an answer.

    While a provider says that it is asked too much, rows wait; a model that fails otherwise fails for its row alone.
    """

    def __init__(self, context: ProviderContext, *, at_once: int, max_tokens: int) -> None:
        self._inference = context.api(Inference)  # type: ignore[type-abstract]
        self._paces = Paces(context.api(Models), at_once)  # type: ignore[type-abstract]
        self._provider_id = context.provider_id
        self._max_tokens = max_tokens
        self._without_temperature: set[str] = set()

    async def chat(self, body: Mapping[str, Any], *, param: str) -> Said:
        """The answer to a chat completion. param: what the caller named the model in. A model that takes no temperature
        is asked without.

        Raises NotScored for a model that fails, refuses or is cut off; RequestError for one that no row can ask.
        """
        whole = {"max_completion_tokens": self._max_tokens, "store": False, **body}
        answer = await self._asked(lambda: self._chat(whole), model=whole["model"], param=param)
        with _understood(self._provider_id):
            choice: Json = answer.value()["choices"][0]
            said = Said(text=text_of(choice["message"].get("content")), message=choice["message"])
        self._check_whole(choice, said)
        return said

    async def embedding(self, text: str, *, model: str, param: str) -> list[float]:
        """The vector of a text. Raises as `chat` does."""
        request = EmbeddingsRequest(model=model, input=text)
        answer = await self._asked(lambda: self._inference.embeddings(request), model=model, param=param)
        with _understood(self._provider_id):
            return [float(number) for number in answer.value()["data"][0]["embedding"]]

    async def _asked(self, ask: Callable[[], Awaitable[Any]], *, model: str, param: str) -> Reply:
        async def once() -> Any:
            try:
                return await ask()
            except StackError as error:
                if error.status == RateLimited.status:
                    raise  # asked again
                return error

        # In the background: the client of inference gives up early, and says then that nobody is to ask again.
        with serving(replace(current(), in_background=True)):
            try:
                answer = await patiently(once, await self._paces.of(model))
            except StackError as error:
                answer = error
        if isinstance(answer, StackError):
            raise _failure(answer, param) from answer
        assert isinstance(answer, Reply)
        return answer

    async def _chat(self, body: Json) -> Any:
        if body["model"] in self._without_temperature:
            body = _untempered(body)
        try:
            return await self._inference.chat_completion(ChatCompletionRequest.model_validate(body))
        except UpstreamRejected as error:
            if error.param != _TEMPERATURE or _TEMPERATURE not in body:
                raise
        if len(self._without_temperature) >= _MOST_REMEMBERED:
            self._without_temperature.clear()
        self._without_temperature.add(body["model"])
        return await self._inference.chat_completion(ChatCompletionRequest.model_validate(_untempered(body)))

    def _check_whole(self, choice: Json, said: Said) -> None:
        refusal, finish = said.message.get("refusal"), choice.get("finish_reason")
        if refusal or finish == "content_filter":
            raise NotScored("The judge refuses to answer", said=str(refusal or said.text))
        if finish == "length":
            why = f"The judge's answer is cut off after the {self._max_tokens} tokens of the provider's `max_tokens`"
            raise NotScored(why, said=said.text)


def _untempered(body: Json) -> Json:
    return {name: value for name, value in body.items() if name != _TEMPERATURE}


def _failure(error: StackError, param: str) -> Exception:
    """What a model raises: the row's failure, or everybody's where it is no model to ask."""
    if isinstance(error, RequestError) and error.param == "model":
        return error.saying(error.message, param=param)
    return NotScored(f"The model does not answer: {error.words}")


@contextmanager
def _understood(provider_id: str) -> Iterator[None]:
    """Around what reads an answer. Raises NotScored for one that makes no sense."""
    try:
        with making_sense(provider_id):
            yield
    except StackError as error:
        raise NotScored(error.message) from error


def text_in(column: str, value: Any) -> str:
    """A column's value as text: a list or an object is written as JSON. Raises NotScored where there is none."""
    if value is None:
        raise NotScored(f"`{column}` is null, so that there is nothing to judge")
    return value if isinstance(value, str) else encode(value).decode()
