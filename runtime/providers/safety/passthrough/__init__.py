"""Another server's moderations: a Llama Stack's, OpenAI's, or those of any server with that endpoint.
https://platform.openai.com/docs/api-reference/moderations
"""

from runtime.spec import remote, wire

SPEC = remote(
    "passthrough",
    summary="Moderations of another Llama Stack or OpenAI-compatible server, also with the callers' own headers",
    adapter=".adapter:PassthroughSafety",
    config=".config:PassthroughSafetyConfig",
    enabled_by="PASSTHROUGH_SAFETY_URL",
    sample_config={
        "base_url": "${env.PASSTHROUGH_SAFETY_URL:=}",
        "api_key": "${env.PASSTHROUGH_SAFETY_API_KEY:=}",
    },
    evidence=wire("a second server of ours, and a local one that checks requests as OpenAI documents them"),
)
