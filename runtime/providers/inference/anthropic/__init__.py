"""Anthropic's models by its own Messages: its endpoint for OpenAI's clients says nothing of what a model thinks, and
has no forms of answers, no documents and no caching of prompts. https://platform.claude.com/docs/en/api/messages
"""

from runtime.providers.inference._messages.spec import MESSAGES_RULES
from runtime.providers.inference._openai_compatible.spec import Chat, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "anthropic",
    summary="Anthropic's Claude models",
    adapter=".adapter:AnthropicInference",
    base_url="https://api.anthropic.com/v1",
    api_key_env="ANTHROPIC_API_KEY",
    key_header="x-api-key",
    # The version after this one refuses `temperature` and `top_p`, also of models that have them, and adds nothing.
    # https://platform.claude.com/docs/en/api/migration-2026-10-21 (read November 2026)
    headers={"anthropic-version": "2023-06-01"},
    models_path="/models?limit=1000",
    model_type="llm",
    chat=Chat(path="/messages", rules=MESSAGES_RULES),
    completions=None,
    embeddings=None,
    evidence=wire("a local server that refuses whatever Anthropic's documentation does not have"),
)
