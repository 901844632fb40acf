"""IBM watsonx.ai, on IBM Cloud or in a cluster of yours, in watsonx's own form of chats, embeddings and rankings.
https://cloud.ibm.com/apidocs/watsonx-ai (read November 2026)

Its gateway with OpenAI's form (`/ml/gateway/v1`) is another product, in which one first registers every model.
"""

from runtime.providers.inference._openai_compatible.rules import (
    NO_ANSWER_FIELDS,
    NO_FUNCTIONS,
    NO_SIGNATURES,
    TEXT_ONLY,
    WITHOUT_EFFECT,
    LeftOut,
    OneOf,
    Refused,
    ignored,
    left_out,
    refused,
)
from runtime.providers.inference._openai_compatible.spec import Chat, Embeddings, Rerank, openai_compatible
from runtime.spec import wire

_UNKNOWN = "its request has no such field"

SPEC = openai_compatible(
    "watsonx",
    summary="IBM watsonx.ai: models of IBM, Meta, Mistral and others",
    adapter=".adapter:WatsonxInference",
    config=".config:WatsonxConfig",
    base_url="https://us-south.ml.cloud.ibm.com",
    api_key_env="WATSONX_API_KEY",
    more_env={"project_id": "WATSONX_PROJECT_ID", "space_id": "WATSONX_SPACE_ID"},
    models_path="/ml/v1/foundation_model_specs?limit=200",
    chat=Chat(
        path="/ml/v1/text/chat",
        rules=(
            *left_out(*WITHOUT_EFFECT, "stream_options", "prediction", why=_UNKNOWN),
            *ignored("tools[].function.strict", why="does not hold arguments to a schema", unless=(False,)),
            Refused("parallel_tool_calls", "cannot be kept from several calls at once", unless=(True,)),
            OneOf("reasoning_effort", ("low", "medium", "high"), "knows only `low`, `medium` and `high`"),
            *TEXT_ONLY,
            *NO_FUNCTIONS,
            *NO_ANSWER_FIELDS,
            NO_SIGNATURES,
            LeftOut("messages[].reasoning_content", "it reads no earlier thinking"),
        ),
        finish_reasons={"time_limit": "length", "cancelled": "stop"},
        usage="always",
    ),
    completions=None,
    embeddings=Embeddings(
        path="/ml/v1/text/embeddings",
        rules=(
            *left_out("user", "encoding_format", why=_UNKNOWN),
            *refused("dimensions", why="does not shorten vectors"),
            *ignored("input_type", why="does not tell queries from passages"),
        ),
        takes_ids=False,
    ),
    rerank=Rerank(path="/ml/v1/text/rerank", documents="inputs", score="score"),
    evidence=wire("a local server that refuses what watsonx's reference does not have, and gives tokens as IAM does"),
)
