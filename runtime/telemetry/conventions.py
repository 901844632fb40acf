"""The names of OpenTelemetry's semantic conventions that are used here: for generative AI and MCP
(https://github.com/open-telemetry/semantic-conventions-genai, read in November 2026), HTTP, servers and databases.

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
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
AUDIO_IN, AUDIO_OUT = "gen_ai.usage.audio.input_tokens", "gen_ai.usage.audio.output_tokens"
REASONING_TOKENS, TOKEN_TYPE = "gen_ai.usage.reasoning.output_tokens", "gen_ai.token.type"
CONVERSATION_ID, AGENT_ID, AGENT_NAME = "gen_ai.conversation.id", "gen_ai.agent.id", "gen_ai.agent.name"
TOOL_NAME, TOOL_TYPE, TOOL_CALL_ID = "gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.tool.call.id"
DATA_SOURCE_ID = "gen_ai.data_source.id"
INSTRUCTIONS = "gen_ai.system_instructions"
INPUT, OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
MCP_METHOD = "mcp.method.name"
SERVICE_TIER = "openai.response.service_tier"

METHOD, ROUTE, STATUS = "http.request.method", "http.route", "http.response.status_code"
URL_PATH, URL_SCHEME = "url.path", "url.scheme"
SERVER_ADDRESS, SERVER_PORT = "server.address", "server.port"
DB_SYSTEM, DB_COLLECTION, DB_OPERATION = "db.system.name", "db.collection.name", "db.operation.name"
DB_ROWS = "db.response.returned_rows"
ERROR = "error.type"
EXCEPTION_TYPE, STACKTRACE = "exception.type", "exception.stacktrace"

REQUEST_ID = "llama_stack.request.id"
API, API_OPERATION = "llama_stack.api", "llama_stack.operation"
PROVIDER_ID, PROVIDER_TYPE = "llama_stack.provider.id", "llama_stack.provider.type"
COST_USD, PRICE_SOURCE, RATE = "llama_stack.cost_usd", "llama_stack.price.source", "llama_stack.price."
"""What a call of a model cost, who says at which price, and how the attributes begin that say the rates, in USD a
million tokens of each kind.
"""
OVERHEAD_MS, WAITED_MS = "llama_stack.overhead_ms", "llama_stack.waited_ms"
RESOURCE_ID, ASKED_FOR = "llama_stack.resource.id", "llama_stack.resource.asked_for"
"""The resource that a call was routed by, and the name by which its caller has asked for that."""
RESPONSE_STATUS, PREVIOUS_RESPONSE = "llama_stack.response.status", "llama_stack.response.previous_id"
BACKGROUND, TURN_ID = "llama_stack.response.background", "llama_stack.turn.id"
TOOL_TYPES = "llama_stack.response.tool_types"
"""The kinds of tools that a response was asked for with, each once."""
CONNECTOR_ID, FILE_ID, UPLOAD_ID = "llama_stack.connector.id", "llama_stack.file.id", "llama_stack.upload.id"
JOB_ID, BATCH_ID, BATCH_STATUS = "llama_stack.job.id", "llama_stack.batch.id", "llama_stack.batch.status"
JOB_KIND, BEGUN_BY = "llama_stack.job.kind", "llama_stack.job.request_id"
"""Of work that no request waits for: what it is, and the request that has led to it."""
LINE, ROW = "llama_stack.batch.line", "llama_stack.eval.row"
"""Which line of a batch's file (from 1) or row of a dataset (from 0) it is about."""
JOB_STATUS, ENDPOINT = "llama_stack.job.status", "llama_stack.batch.endpoint"
FLAGGED, VIOLATION_LEVEL = "llama_stack.shield.flagged", "llama_stack.shield.violation_level"
SEARCH_MODE, QUERIES, FOUND = "llama_stack.retrieval.mode", "llama_stack.retrieval.queries", "llama_stack.found"
CHUNKS, VECTORS, FILES, ROWS = "llama_stack.chunks", "llama_stack.vectors", "llama_stack.files", "llama_stack.rows"
DOCUMENTS, TOOLS, PAGES = "llama_stack.documents", "llama_stack.tools", "llama_stack.pages"
FUNCTIONS, SIZE_BYTES = "llama_stack.scoring_functions", "llama_stack.size_bytes"
ENGINE_MODEL = "llama_stack.engine.model"
ENGINE_TOKENS, ENGINE_CACHED = "llama_stack.engine.tokens", "llama_stack.engine.cached_tokens"
ENGINE_RATE, ENGINE_CHOICE = "llama_stack.engine.tokens_per_second", "llama_stack.engine.choice"
CUT = "llama_stack.cut"
"""The attributes that have not all of what was said."""
ERROR_CODE, ERROR_MESSAGE = "llama_stack.error.code", "llama_stack.error.message"
ERROR_HINT = "llama_stack.error.hint"
"""How a request was refused, also one whose span is none that failed by OpenTelemetry's rules."""
WARNINGS, CHANGED = "llama_stack.warnings", "llama_stack.changed"
"""What an answer's `x-llama-warnings` say, and what else was changed of what was asked, each in a few words."""
CHOSEN = "llama_stack.chosen"
"""What the server has chosen where the request named none of several, each in a few words."""
RESOURCE_SOURCE = "llama_stack.resource.source"
"""Where the name is from by which a resource was found, as in `runtime.routing.entry`, unless a provider lists it."""

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
_DATABASES = {"pgvector": "postgresql", "sqlite-vec": "sqlite", "oci": "oracle.db", "elasticsearch": "elasticsearch"}
"""The same of vector databases."""


def provider_name(provider_type: str) -> str:
    """What the conventions call a type of provider."""
    return _PROVIDERS.get(provider_type) or provider_type.partition("::")[2] or provider_type


def database_name(provider_type: str) -> str:
    """What the conventions call the database behind a type of provider."""
    name = provider_type.partition("::")[2]
    return _DATABASES.get(name, name)
