"""Who answers the lines of batches: this stack, or whatever else a provider knows."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._request import Response
from runtime.parsing.requests import request_from
from runtime.providers.batches._shared.endpoints import Endpoint
from runtime.providers.batches._shared.input_lines import Line
from runtime.sse import Reply


class Answering(Protocol):
    """Answers the lines of any batch."""

    async def begin(self) -> None:
        """Get ready; called before the lines of each batch. Raises NobodyAnswers."""
        ...

    async def answer(self, endpoint: Endpoint, line: Line) -> bytes:
        """The answer to a line, JSON. Called with the line's own request context. Raises StackError for a line that is
        refused, NobodyAnswers.
        """
        ...


class AnsweringHere:
    """By the routed APIs of this stack."""

    async def begin(self) -> None:
        """They are always there."""

    async def answer(self, endpoint: Endpoint, line: Line) -> bytes:
        """Raises what the API's method raises."""
        answer: Reply | Response = await endpoint.ask(await request_from(endpoint.request, line.body))
        return answer.data if isinstance(answer, Reply) else answer.model_dump_json().encode()
