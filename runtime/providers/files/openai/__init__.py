"""Files at OpenAI, or at a server with its Files API; what is known about them is kept here.
https://platform.openai.com/docs/api-reference/files
"""

from runtime.spec import remote, wire

SPEC = remote(
    "openai",
    summary="Files at OpenAI, where its models can use them",
    adapter=".adapter:openai_files",
    config=".config:OpenAIFilesConfig",
    packages=("xxhash>=3.4",),
    enabled_by="OPENAI_API_KEY",
    key_env="OPENAI_API_KEY",
    sample_config={
        "base_url": "${env.OPENAI_BASE_URL:=https://api.openai.com/v1}",
        "api_key": "${env.OPENAI_API_KEY:=}",
    },
    evidence=wire("a server that checks the documented requests"),
)
