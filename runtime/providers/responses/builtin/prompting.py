"""The prompt that a response names, as the message that the model reads first.

A text is what a system says, as in llama-stack; with images and files, or where there is nothing else to answer, the
user says it. Like instructions, it is of one response: what continues that has to name it again.
"""

from __future__ import annotations

from runtime.apis.prompts.protocol import FillPromptRequest, Prompts
from runtime.apis.responses.request import PromptReference
from runtime.errors import NotSupported
from runtime.sse import Json


async def prompt_item(named: PromptReference, prompts: Prompts | None, *, is_alone: bool) -> Json:
    """prompts: None where no provider serves them. is_alone: whether the model reads nothing else. Raises NotFound for
    an unknown prompt or version, RequestError for values that do not fit its variables, NotSupported, Unavailable.
    """
    if prompts is None:
        raise NotSupported("`prompt` is not supported here: no provider serves `prompts`", param="prompt")
    filled = await prompts.fill_prompt(FillPromptRequest.model_validate(named))
    says_user = is_alone or not isinstance(filled.content, str)
    return {"type": "message", "role": "user" if says_user else "system", "content": filled.content}
