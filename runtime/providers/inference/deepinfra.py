"""DeepInfra. https://deepinfra.com/docs/openai_api"""

from runtime.providers.inference._openai_compatible.spec import Chat, Renamed, Rerank, openai_compatible

SPEC = openai_compatible(
    "deepinfra",
    summary="Open-weight models hosted by DeepInfra",
    base_url="https://api.deepinfra.com/v1/openai",
    api_key_env="DEEPINFRA_API_KEY",
    chat=Chat(
        rules=(Renamed("max_completion_tokens", "max_tokens", "it has one name for the limit"),),
        tool_choices=frozenset({"none", "auto"}),
        usage="always",
    ),
    rerank=Rerank(
        path="https://api.deepinfra.com/v1/inference/{model}",
        query="queries",
        query_as_list=True,
        top_n="",
        results="scores",
        score="",
    ),
    evidence="wire",
    evidence_note="a local server that answers as DeepInfra's documentation says",
)
