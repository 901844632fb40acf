"""Hugging Face's Text Generation Inference.
https://huggingface.co/docs/text-generation-inference/reference/api_reference
"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_FUNCTIONS,
    NO_LOGIT_BIAS,
    ONE_ANSWER,
    ONE_LIMIT,
    TEXT_ONLY,
    Refused,
    ignored,
    left_out,
    refused,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "tgi",
    summary="A Text Generation Inference server",
    base_url_env="TGI_URL",
    api_key_env="TGI_API_KEY",
    enabled_by="TGI_URL",
    chat=Chat(
        rules=(
            ONE_LIMIT,
            ONE_ANSWER,
            Refused("parallel_tool_calls", "has no such setting", unless=(True,)),
            *left_out("user", why="it is not in its schema"),
            NO_LOGIT_BIAS,
            *NO_FUNCTIONS,
            *TEXT_ONLY,
        ),
        formats=frozenset({"json_object", "json_schema"}),
        format_style="tgi",
    ),
    completions=Completions(
        rules=(
            ONE_ANSWER,
            Refused("best_of", "gives one answer", unless=(0, 1)),
            Refused("echo", "does not return the prompt", unless=(False,)),
            *refused("logprobs", why="gives no log-probabilities with text completions"),
            *ignored("logit_bias", "presence_penalty", why="has no such setting for text completions"),
        ),
        takes_ids=False,
    ),
    embeddings=None,
    evidence=wire("no such server can be installed where the tests run; a local one answers as documented"),
)
