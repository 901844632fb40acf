"""Ollama through its OpenAI-compatible endpoint. https://docs.ollama.com/api/openai-compatibility"""

from runtime.providers.inference._openai_compatible.spec import openai_compatible

SPEC = openai_compatible(
    "ollama",
    summary="A local Ollama server",
    base_url="http://localhost:11434/v1",
    base_url_env="OLLAMA_URL",
    evidence="wire",
    evidence_note="no Ollama server can be installed where the tests run; a llama.cpp server stands in at its address",
)
