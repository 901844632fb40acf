"""OpenAI, or anything that speaks its protocol at another address. https://platform.openai.com/docs/api-reference"""

from runtime.providers.inference._openai_compatible.rules import METADATA_IF_KEPT
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import live

SPEC = openai_compatible(
    "openai",
    summary="OpenAI's models, or any server that speaks its protocol",
    base_url="https://api.openai.com/v1",
    api_key_env="OPENAI_API_KEY",
    base_url_env="OPENAI_BASE_URL",
    chat=Chat(rules=(METADATA_IF_KEPT,), custom_tools=True, developers=True),
    evidence=live("a llama.cpp server at another base_url; the vendor's errors at wire level"),
)
