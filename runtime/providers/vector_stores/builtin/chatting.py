"""Short texts that a chat model writes: queries, and what chunks are about. They are not kept as chat completions."""

from __future__ import annotations

from runtime.apis.inference.guardrails import violation_in
from runtime.apis.inference.protocol import ChatCompletionRequest, Inference
from runtime.apis.models import Models
from runtime.context import warn
from runtime.providers.vector_stores.builtin.listed import model_of_type
from runtime.sse import Reply


class Chat:
    def __init__(self, inference: Inference, models: Models) -> None:
        self._inference = inference
        self._models = models

    async def model(self, name: str | None, *, param: str) -> str:
        """The chat model of this name; by default, the first that is served. param: the request's field, for errors.

        Raises RequestError if it is unknown or of another type, or if none is served.
        """
        return (await model_of_type(self._models, name, "llm", param=param)).id

    async def says(self, model: str, prompt: str, *, max_tokens: int, temperature: float | None = None) -> str:
        """What a model answers, without blanks around it; empty if it says nothing, or if a shield stops it, which is
        told. Raises what inference raises.
        """
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
        said = answer.value()
        if (violation := violation_in(said)) is not None:
            warn(f"the shield `{violation.get('shield_id')}` has stopped what `{model}` was asked or has answered")
        choices = said.get("choices") or [{}]
        content = (choices[0].get("message") or {}).get("content")
        return content.strip() if isinstance(content, str) else ""
