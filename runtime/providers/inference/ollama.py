"""Ollama through its OpenAI-compatible endpoint. https://docs.ollama.com/api/openai-compatibility"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_FUNCTIONS,
    NO_LOGIT_BIAS,
    ONE_ANSWER,
    ONE_LIMIT,
    REASONING_BACK,
    TEXT_ONLY,
    Refused,
    ignored,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Completions, Embeddings, openai_compatible
from runtime.spec import NoEffect, wire

SPEC = openai_compatible(
    "ollama",
    summary="A local Ollama server",
    base_url="http://localhost:11434/v1",
    base_url_env="OLLAMA_URL",
    older={
        "raise_on_connect_error": NoEffect("a provider that cannot be reached is degraded, and the stack runs"),
    },
    chat=Chat(
        rules=(
            ONE_LIMIT,
            REASONING_BACK,
            ONE_ANSWER,
            Refused("parallel_tool_calls", "does not read it", unless=(True,)),
            NO_LOGIT_BIAS,
            *ignored("tools[].function.strict", why="does not read it"),
            *NO_FUNCTIONS,
            *TEXT_ONLY,
        ),
        remote_images=False,
        tool_choices=frozenset({"auto"}),
        reasoning_field="reasoning",
    ),
    completions=Completions(
        rules=(
            ONE_ANSWER,
            Refused("best_of", "gives one answer", unless=(0, 1)),
            Refused("echo", "does not return the prompt", unless=(False,)),
            NO_LOGIT_BIAS,
        ),
        takes_ids=False,
        takes_several=False,
    ),
    embeddings=Embeddings(takes_ids=False),
    evidence=wire(
        "no Ollama server can be installed where the tests run; a local one answers as documented, and a "
        "llama.cpp server stands in at its address"
    ),
)
