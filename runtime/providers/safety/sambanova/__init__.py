"""Llama Guard at SambaNova. https://docs.sambanova.ai/docs/en/features/openai-compatibility"""

from runtime.spec import remote, wire

SPEC = remote(
    "sambanova",
    summary="Llama Guard on SambaNova's processors",
    adapter=".adapter:SambaNovaSafety",
    config=".config:SambaNovaSafetyConfig",
    key_env="SAMBANOVA_API_KEY",
    enabled_by="SAMBANOVA_API_KEY",
    sample_config={
        "base_url": "${env.SAMBANOVA_BASE_URL:=https://api.sambanova.ai/v1}",
        "api_key": "${env.SAMBANOVA_API_KEY:=}",
    },
    evidence=wire("a local server that refuses what SambaNova's documentation says is refused, and judges by words"),
)
