"""Models on Amazon Bedrock: chat by Converse or by OpenAI's protocol, embeddings and reranking.
https://docs.aws.amazon.com/bedrock/latest/APIReference/welcome.html (read November 2026)
"""

from runtime.spec import Moved, NoEffect, remote, wire

SPEC = remote(
    "bedrock",
    summary="Models on Amazon Bedrock, by Bedrock's own API or by OpenAI's protocol",
    adapter=".adapter:BedrockInference",
    config=".config:BedrockConfig",
    enabled_by="AWS_BEARER_TOKEN_BEDROCK",
    sample_config={
        "api_key": "${env.AWS_BEARER_TOKEN_BEDROCK:=}",
        "region_name": "${env.AWS_REGION:=}",
    },
    older={
        "connect_timeout": Moved("network.timeout.connect"),
        "read_timeout": Moved("network.timeout.read"),
        "total_max_attempts": NoEffect("`network.retries.times` says how often a request is sent again"),
        "retry_mode": NoEffect("`network.retries` says how often and how long a request is sent again"),
        "auth_credential": NoEffect("`api_key`, or `aws_access_key_id` and the settings beside it, say who calls"),
    },
    capabilities=frozenset({"chat", "embeddings", "rerank", "tools", "json_object", "json_schema"}),
    evidence=wire("a local server that checks keys and signatures, and answers in Bedrock's documented forms"),
)
