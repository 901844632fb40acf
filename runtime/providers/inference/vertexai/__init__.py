"""Vertex AI, Google's cloud: Gemini in its own form, open models of its Model Garden at its endpoint for OpenAI's
clients, embeddings, and reranking by its Ranking API.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference,
https://cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview,
https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions (read November 2026)
"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_LOGIT_BIAS,
    NO_SPEECH,
    NO_VERBOSITY,
    WITHOUT_EFFECT,
    ignored,
    left_out,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Embeddings, Rerank, openai_compatible
from runtime.spec import NoEffect, wire

_GOOGLE = (
    *("google/gemini-3.5-flash", "google/gemini-3.5-flash-lite", "google/gemini-3.1-flash-lite"),
    *("google/gemini-embedding-001", "google/text-embedding-005", "google/text-multilingual-embedding-002"),
    *("semantic-ranker-default@latest", "semantic-ranker-fast@latest"),
)
_LLAMA = (
    "meta/llama-3.1-8b-instruct-maas",
    "meta/llama-3.1-70b-instruct-maas",
    "meta/llama-3.1-405b-instruct-maas",
    "meta/llama-3.2-90b-vision-instruct-maas",
    "meta/llama-4-scout-17b-16e-instruct-maas",
    "meta/llama-4-maverick-17b-128e-instruct-maas",
)

SPEC = openai_compatible(
    "vertexai",
    summary="Vertex AI of Google's cloud: Gemini, Llama and other open models, embeddings, reranking",
    adapter=".adapter:VertexAIInference",
    config=".config:VertexAIConfig",
    base_url="https://aiplatform.googleapis.com/v1",
    key_required=False,
    more_env={
        "project": "VERTEX_AI_PROJECT",
        "location": "VERTEX_AI_LOCATION",
        "access_token": "VERTEX_AI_ACCESS_TOKEN",
    },
    enabled_by="VERTEX_AI_PROJECT",
    older={"thought_signature_store": NoEffect("the signatures are in the answers, as `extra_content` of each call")},
    packages=("cryptography>=46",),  # signs for a service account
    lists_models=False,
    models=(*_GOOGLE, *_LLAMA),
    model_types=(("embed", "embedding"), ("rank", "rerank")),
    model_type="llm",
    chat=Chat(
        # Of open models: it passes over what it does not know.
        rules=(
            NO_LOGIT_BIAS,
            *NO_SPEECH,
            NO_VERBOSITY,
            *left_out(*WITHOUT_EFFECT, "prediction", why="it has no such field"),
            *ignored("parallel_tool_calls", why="decides itself how many calls it makes at once", unless=(True,)),
        ),
    ),
    completions=None,
    embeddings=Embeddings(rules=left_out("user", why="it has no such field"), takes_ids=False),
    rerank=Rerank(rules=ignored("max_tokens_per_doc", why="has limits of its own")),
    evidence=wire("a local server of Vertex AI's addresses, and servers of Google's that give tokens"),
)
