"""The names of OpenTelemetry's semantic conventions that are used here: for generative AI
(https://github.com/open-telemetry/semantic-conventions-genai, read in November 2026), HTTP, servers and errors.

A test holds them against the published list, attribute by attribute. What these do not name begins with `llama_stack.`.
"""

from __future__ import annotations

PROVIDER = "gen_ai.provider.name"
OPERATION = "gen_ai.operation.name"
REQUEST_MODEL, RESPONSE_MODEL = "gen_ai.request.model", "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK_S = "gen_ai.response.time_to_first_chunk"
MAX_TOKENS, CHOICES = "gen_ai.request.max_tokens", "gen_ai.request.choice.count"
STREAM, SEED = "gen_ai.request.stream", "gen_ai.request.seed"
TEMPERATURE, TOP_P, TOP_K = "gen_ai.request.temperature", "gen_ai.request.top_p", "gen_ai.request.top_k"
FREQUENCY_PENALTY, PRESENCE_PENALTY = "gen_ai.request.frequency_penalty", "gen_ai.request.presence_penalty"
STOP = "gen_ai.request.stop_sequences"
ENCODING_FORMATS, DIMENSIONS = "gen_ai.request.encoding_formats", "gen_ai.embeddings.dimension.count"
INPUT_TOKENS, OUTPUT_TOKENS = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"

METHOD, ROUTE, STATUS = "http.request.method", "http.route", "http.response.status_code"
URL_PATH, URL_SCHEME = "url.path", "url.scheme"
SERVER_ADDRESS, SERVER_PORT = "server.address", "server.port"

REQUEST_ID = "llama_stack.request.id"
API, API_OPERATION = "llama_stack.api", "llama_stack.operation"
PROVIDER_ID, PROVIDER_TYPE = "llama_stack.provider.id", "llama_stack.provider.type"
OVERHEAD_MS, WAITED_MS = "llama_stack.overhead_ms", "llama_stack.waited_ms"

_PROVIDERS = {
    "remote::azure": "azure.ai.openai",
    "remote::bedrock": "aws.bedrock",
    "remote::gemini": "gcp.gemini",
    "remote::vertexai": "gcp.vertex_ai",
    "remote::mistral": "mistral_ai",
    "remote::moonshot": "moonshot_ai",
    "remote::watsonx": "ibm.watsonx.ai",
    "remote::xai": "x_ai",
}
"""Those that the conventions call otherwise than we do; the others are called as here."""


def provider_name(provider_type: str) -> str:
    """What the conventions call a type of provider."""
    return _PROVIDERS.get(provider_type) or provider_type.partition("::")[2] or provider_type
