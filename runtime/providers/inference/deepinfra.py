"""DeepInfra. https://deepinfra.com/docs/openai_api"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT, ignored
from runtime.providers.inference._openai_compatible.spec import Chat, Rerank, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "deepinfra",
    summary="Open-weight models hosted by DeepInfra",
    base_url="https://api.deepinfra.com/v1/openai",
    api_key_env="DEEPINFRA_API_KEY",
    chat=Chat(
        rules=(ONE_LIMIT,),
        tool_choices=frozenset({"none", "auto"}),
        usage="always",
    ),
    rerank=Rerank(
        path="../inference/{model}",
        query="queries",
        query_as_list=True,
        top_n="",
        results="scores",
        score="",
        rules=ignored("max_tokens_per_doc", why="has no limit for a document"),
    ),
    evidence=wire("a local server that answers as DeepInfra's documentation says"),
)
