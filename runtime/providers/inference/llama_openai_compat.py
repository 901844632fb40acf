"""Meta's Llama API, which closed on 2026-07-06. https://llama.developer.meta.com/docs/overview"""

from runtime.providers.inference._openai_compatible.rules import ONE_LIMIT, Renamed
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "llama-openai-compat",
    summary="Meta's Llama API, closed on 2026-07-06, or a server with its protocol",
    base_url="https://api.llama.com/compat/v1",
    base_url_env="LLAMA_API_BASE",
    api_key_env="LLAMA_API_KEY",
    enabled_by="LLAMA_API_BASE",
    chat=Chat(
        # The first rule decides which of the two counts, where a request has both.
        rules=(ONE_LIMIT, Renamed("max_tokens", "max_completion_tokens", "its name for the limit")),
        formats=frozenset({"text", "json_schema"}),
    ),
    completions=None,
    embeddings=None,
    closed="the Llama API closed on 2026-07-06; its models are at other providers, such as `together` and `groq`",
    evidence=wire("a local server with the protocol that Meta documented"),
)
