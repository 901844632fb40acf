"""Google's SDKs for Gemini: https://github.com/googleapis/python-genai#api-selection

Of two keys they take GOOGLE_API_KEY.
"""

import json

from llama_cli.clients._client import Client

CLIENT = Client(
    summary="Google's SDKs for Gemini, and what reads their variables",
    page="https://github.com/googleapis/python-genai",
    speaks="generate-content",
    variables=lambda server: {"GOOGLE_GEMINI_BASE_URL": server.url, "GEMINI_API_KEY": server.key},
    is_library=True,
    instead=(
        *("GOOGLE_API_KEY", "GOOGLE_GENAI_API_KEY", "GOOGLE_GENAI_ACCESS_TOKEN", "GOOGLE_GENAI_DEFAULT_HEADERS"),
        # Another service, or a path, than the one that a server of ours has.
        *("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_API_VERSION"),
    ),
    then=lambda server: f"genai.Client().models.generate_content(model={json.dumps(server.model)}, ...)",
)
