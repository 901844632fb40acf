"""A llama.cpp server. https://github.com/ggml-org/llama.cpp/tree/master/tools/server"""

from runtime.providers.inference._openai_compatible.rules import NO_FUNCTIONS, ONE_LIMIT, TEXT_ONLY, ignored
from runtime.providers.inference._openai_compatible.spec import Chat, Rerank, openai_compatible
from runtime.spec import live

SPEC = openai_compatible(
    "llama-cpp-server",
    summary="A llama.cpp server, local or in your network",
    base_url="http://localhost:8080/v1",
    api_key_env="LLAMA_CPP_SERVER_API_KEY",
    base_url_env="LLAMA_CPP_SERVER_URL",
    enabled_by="LLAMA_CPP_SERVER_URL",
    key_required=False,
    # A real one answers to `json_object` without a schema as it likes, for instance with a fence of Markdown.
    chat=Chat(rules=(ONE_LIMIT, *NO_FUNCTIONS, *TEXT_ONLY), formats=frozenset({"text", "json_schema"})),
    rerank=Rerank(rules=ignored("max_tokens_per_doc", why="has no limit for a document")),
    evidence=live("a real llama.cpp server started by the tests; reranking at a local one that answers as documented"),
)
