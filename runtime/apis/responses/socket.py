"""Responses over a WebSocket: each message asks for one, and its events are the answer.

https://platform.openai.com/docs/guides/websocket-mode
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.apis._request import example
from runtime.apis.responses.request import CreateResponseRequest


class SocketRequest(CreateResponseRequest):
    """A message: the request of a response. `stream` and `background` mean nothing here."""

    model_config = example(type="response.create", model="SmolLM2-135M-Instruct", input="Hello", store=False)

    type: Literal["response.create"]
    generate: bool | None = Field(
        None,
        description="With false, the model is not asked: the response has no output, and can be continued. The default"
        " is true.",
    )
