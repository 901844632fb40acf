"""An SGLang server. https://docs.sglang.ai/basic_usage/openai_api.html"""

from runtime.providers.inference._openai_compatible.rules import NO_FUNCTIONS, TEXT_ONLY, ignored
from runtime.providers.inference._openai_compatible.spec import Chat, Rerank, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "sglang",
    summary="An SGLang server: open-weight models at scale",
    base_url="http://localhost:30000/v1",
    base_url_env="SGLANG_URL",
    api_key_env="SGLANG_API_KEY",
    enabled_by="SGLANG_URL",
    key_required=False,
    chat=Chat(rules=(*NO_FUNCTIONS, *TEXT_ONLY)),
    rerank=Rerank(
        top_n="", results="", score="score", rules=ignored("max_tokens_per_doc", why="has no limit for a document")
    ),
    evidence=wire("SGLang needs a GPU; a local server answers as documented"),
)
