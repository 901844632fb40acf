"""Google's Gemini models, in Gemini's own form: its endpoint for OpenAI's clients refuses seeds and penalties, and
does not say what a model has thought, or how likely its words were. https://ai.google.dev/api
"""

from runtime.providers.inference._gemini.spec import GEMINI_RULES
from runtime.providers.inference._openai_compatible.rules import left_out
from runtime.providers.inference._openai_compatible.spec import Chat, Embeddings, openai_compatible
from runtime.spec import wire

SPEC = openai_compatible(
    "gemini",
    summary="Google's Gemini models",
    adapter=".adapter:GeminiInference",
    config=".config:GeminiConfig",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    api_key_env="GEMINI_API_KEY",
    more_env={"access_token": "GEMINI_ACCESS_TOKEN", "project": "GEMINI_AI_PROJECT"},
    key_header="x-goog-api-key",
    models_path="/models?pageSize=1000",
    model_prefix="models/",
    chat=Chat(rules=GEMINI_RULES),
    completions=None,
    embeddings=Embeddings(rules=left_out("user", why="it has no such field"), takes_ids=False),
    evidence=wire("a local server that refuses whatever Gemini's documentation does not have"),
)
