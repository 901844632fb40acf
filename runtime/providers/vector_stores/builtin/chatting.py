"""Short texts that a chat model writes: queries, and what chunks are about. They are not kept as chat completions."""

from __future__ import annotations

from runtime.apis.inference import ChatCompletionRequest, Inference
from runtime.apis.models import ModelRequest, Models
from runtime.errors import NotFound, RequestError
from runtime.providers.vector_stores.builtin.listed import first_of_type
from runtime.sse import Reply


class Chat:
    def __init__(self, inference: Inference, models: Models) -> None:
        self._inference = inference
        self._models = models

    async def model(self, name: str | None, *, param: str) -> str:
        """The chat model of this name; by default, the first that is served. param: the request's field, for errors.

        Raises RequestError if it is unknown or of another type, or if none is served.
        """
        if name is None:
            name = await first_of_type(self._models, "llm")
            if name is None:
                raise RequestError(
                    "No chat model is served",
                    hint="turn on a provider of inference that has one",
                    param=param,
                    code="no_chat_model",
                )
            return name
        try:
            model = await self._models.get_model(ModelRequest(model_id=name))
        except NotFound as error:
            raise RequestError(error.message, hint=error.hint, param=param, code="unknown_chat_model") from None
        if model.model_type != "llm":
            raise RequestError(
                f"Model `{name}` is of type `{model.model_type}`, this needs `llm`",
                param=param,
                code="model_type_mismatch",
            )
        return name

    async def says(self, model: str, prompt: str, *, max_tokens: int, temperature: float | None = None) -> str:
        """What a model answers, without blanks around it; empty if it says nothing. Raises what inference raises."""
        request = ChatCompletionRequest(
            model=model,
            messages=[{"role": "user", "content": prompt}],
            max_completion_tokens=max_tokens,
            temperature=temperature,
            stream=False,
            store=False,
        )
        answer = await self._inference.chat_completion(request)
        assert isinstance(answer, Reply)
        choices = answer.value().get("choices") or [{}]
        content = (choices[0].get("message") or {}).get("content")
        return content.strip() if isinstance(content, str) else ""
