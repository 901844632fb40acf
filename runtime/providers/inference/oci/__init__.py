"""OCI Generative AI: chats at its endpoint for OpenAI's clients, embeddings and rankings at its own, models of its
management API. https://docs.oracle.com/en-us/iaas/Content/generative-ai/chat-completions-api.htm and
https://docs.oracle.com/en-us/iaas/api/#/en/generative-ai-inference/20231130/ (read November 2026)
"""

from runtime.providers.inference._openai_compatible.rules import NO_SIGNATURES, Renamed, left_out
from runtime.providers.inference._openai_compatible.spec import Chat, Embeddings, Rerank, openai_compatible
from runtime.spec import wire

_OWN = "its own endpoint has no such field"

SPEC = openai_compatible(
    "oci",
    summary="Models hosted by Oracle Cloud Infrastructure",
    adapter=".adapter:OciInference",
    config=".config:OciConfig",
    base_url_env="OCI_BASE_URL",
    api_key_env="OCI_GENAI_API_KEY",
    more_env={
        "oci_compartment_id": "OCI_COMPARTMENT_OCID",
        "oci_region": "OCI_REGION",
        "oci_auth_type": "OCI_AUTH_TYPE",
        "oci_config_file_path": "OCI_CONFIG_FILE_PATH",
        "oci_config_profile": "OCI_CLI_PROFILE",
    },
    enabled_by="OCI_COMPARTMENT_OCID",
    version_path="/20231130/actions/v1",
    models_path="/models",
    chat=Chat(rules=(NO_SIGNATURES,)),
    completions=None,
    embeddings=Embeddings(
        path="embedText",
        rules=(
            *left_out("user", "encoding_format", why=_OWN),
            Renamed("dimensions", "outputDimensions", "its name for it"),
            Renamed("input_type", "inputType", "its name for it"),
        ),
        takes_ids=False,
    ),
    rerank=Rerank(
        path="rerankText",
        query="input",
        top_n="topN",
        results="documentRanks",
        score="relevanceScore",
        rules=(Renamed("max_tokens_per_doc", "maxTokensPerDocument", "its name for it"),),
    ),
    packages=("cryptography>=46",),
    evidence=wire("a local server that checks OCI's signatures, by a key, a session, a machine's certificate"),
)
