"""Guardrails of Amazon Bedrock, asked by ApplyGuardrail, which needs no model.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html (read November 2026)
"""

from runtime.spec import Moved, NoEffect, remote, wire

_NO_MODELS = NoEffect("guardrails are no models, and each shield names its own")

SPEC = remote(
    "bedrock",
    summary="Guardrails of Amazon Bedrock, for text and images",
    adapter=".adapter:BedrockSafety",
    config=".config:BedrockSafetyConfig",
    sample_config={
        "region_name": "${env.AWS_REGION:=}",
    },
    older={
        "connect_timeout": Moved("network.timeout.connect"),
        "read_timeout": Moved("network.timeout.read"),
        "total_max_attempts": NoEffect("`network.retries.times` says how often a request is sent again"),
        "retry_mode": NoEffect("`network.retries` says how often and how long a request is sent again"),
        "allowed_models": _NO_MODELS,
        "refresh_models": _NO_MODELS,
        "auth_credential": NoEffect("`aws_access_key_id` and the settings beside it say who calls"),
    },
    evidence=wire("a local server that checks each signature and answers in the documented form"),
)
